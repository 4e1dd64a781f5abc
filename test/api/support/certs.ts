import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsageExtension,
  type Extension,
  AuthorityKeyIdentifierExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  type X509Certificate,
  X509CrlGenerator,
} from '@peculiar/x509';

type CryptoKeyPair = webcrypto.CryptoKeyPair;

cryptoProvider.set(webcrypto as never);
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;

export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

export interface Pair {
  readonly certificate: X509Certificate;
  readonly keys: CryptoKeyPair;
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface Wanted {
  readonly subject: string;
  readonly issuer?: Pair;
  readonly ca?: boolean;
  readonly pathLength?: number;
  readonly usages?: readonly string[];
  readonly names?: JsonGeneralName[];
  readonly extensions?: Extension[];
  readonly serial?: string;
  /** Days from now. */
  readonly from?: number;
  readonly until?: number;
}

/** A certificate with its key, as asked for: it may be as wrong as a test needs it. */
export async function issue(wanted: Wanted): Promise<Pair> {
  const keys = (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as CryptoKeyPair;
  const { issuer } = wanted;
  const signer = issuer?.keys ?? keys;
  const extensions: Extension[] = [
    new BasicConstraintsExtension(wanted.ca === true, wanted.pathLength, true),
    new KeyUsagesExtension(
      wanted.ca === true ? KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign : KeyUsageFlags.digitalSignature,
      true,
    ),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
    await AuthorityKeyIdentifierExtension.create(signer.publicKey),
    ...(wanted.usages === undefined ? [] : [new ExtendedKeyUsageExtension([...wanted.usages])]),
    ...(wanted.names === undefined ? [] : [new SubjectAlternativeNameExtension(wanted.names)]),
    ...(wanted.extensions ?? []),
  ];
  const certificate = await X509CertificateGenerator.create({
    serialNumber: wanted.serial ?? Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString('hex'),
    subject: wanted.subject,
    issuer: issuer?.certificate.subject ?? wanted.subject,
    notBefore: new Date(Date.now() + (wanted.from ?? -1) * DAY_MS),
    notAfter: new Date(Date.now() + (wanted.until ?? 1) * DAY_MS),
    publicKey: keys.publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions,
  });
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificate,
    keys,
    cert: `${certificate.toString('pem')}\n`,
    key: `${PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`,
  };
}

/** PEM of a list of revoked certificates. @param days until its next update */
export async function revocationList(issuer: Pair, revoked: readonly Pair[], days = 1): Promise<string> {
  const list = await X509CrlGenerator.create({
    issuer: issuer.certificate.subject,
    thisUpdate: new Date(Date.now() - 2 * DAY_MS),
    nextUpdate: new Date(Date.now() + days * DAY_MS),
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    entries: revoked.map(({ certificate }) => ({
      serialNumber: certificate.serialNumber,
      revocationDate: new Date(),
    })),
  });
  return list.toString('pem');
}
