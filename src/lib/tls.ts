import 'reflect-metadata';
import { createPrivateKey, webcrypto, X509Certificate as NodeCertificate } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

/**
 * The authority of one vault: it signs the vault's server certificate and the operator's client certificate.
 *
 * I1  A renewed authority keeps its key and name, so that certificates and trust from before and after fit together.
 * I2  Everything is renewed while a third of its time is left, and only then: the same input gives the same output.
 * I3  What cannot be read, or was not signed by this authority, is made anew; nothing is trusted for lying there.
 */
export interface VaultTls {
  readonly 'ca.crt': string;
  readonly 'ca.key': string;
  readonly 'tls.crt': string;
  readonly 'tls.key': string;
  readonly 'client.crt': string;
  readonly 'client.key': string;
}

export interface TlsRequest {
  /** Of the authority; at most 64 characters, as for every common name (RFC 5280, ub-common-name). */
  readonly commonName: string;
  readonly serverName: string;
  readonly clientName: string;
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
}

type Stored = Readonly<Partial<Record<keyof VaultTls, string>>>;
type Ports = { readonly clock: Pick<Clock, 'now'>; readonly random: Pick<Random, 'bytes'> };

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
type CryptoKeyPair = webcrypto.CryptoKeyPair;

const DAY = 86_400_000;
const LIFETIME = { authority: 3650 * DAY, leaf: 90 * DAY };
// Clocks of nodes differ.
const SKEW = 3_600_000;

cryptoProvider.set(webcrypto as never);

/**
 * Makes what is missing or due, and keeps the rest.
 * @param stored what was made before
 * @returns `changed` is false when nothing had to be made
 */
export async function ensureTls(
  stored: Stored | undefined,
  request: TlsRequest,
  ports: Ports,
): Promise<{ readonly tls: VaultTls; readonly changed: boolean }> {
  const now = ports.clock.now();
  const kept = await readAuthority(stored, request.commonName);
  const keys = kept?.keys ?? (await makeKeys());
  const fresh = kept === undefined || due(kept.certificate, now);
  const authority = fresh ? await signAuthority(keys, request.commonName, now, ports) : kept.certificate;
  const issuer: Issuer = { authority, keys };
  const server = await leaf(stored?.['tls.crt'], stored?.['tls.key'], issuer, now, {
    commonName: request.serverName,
    usage: ExtendedKeyUsage.serverAuth,
    names: [
      ...request.dnsNames.map((value) => ({ type: 'dns' as const, value })),
      ...request.addresses.map((value) => ({ type: 'ip' as const, value })),
    ],
    ports,
  });
  const client = await leaf(stored?.['client.crt'], stored?.['client.key'], issuer, now, {
    commonName: request.clientName,
    usage: ExtendedKeyUsage.clientAuth,
    names: [],
    ports,
  });
  return {
    changed: fresh || server.fresh || client.fresh,
    tls: {
      'ca.crt': pem(authority),
      'ca.key': kept?.keyPem ?? (await privatePem(keys)),
      'tls.crt': server.certificate,
      'tls.key': server.key,
      'client.crt': client.certificate,
      'client.key': client.key,
    },
  };
}

/** @returns when the first certificate of a PEM text expires; undefined when there is none that can be read. */
export function expiryOf(certificatePem: string | undefined): Date | undefined {
  if (certificatePem === undefined) return undefined;
  try {
    return new Date(new NodeCertificate(certificatePem).validTo);
  } catch {
    return undefined;
  }
}

interface Issuer {
  readonly authority: X509Certificate;
  readonly keys: CryptoKeyPair;
}

interface LeafRequest {
  readonly commonName: string;
  readonly usage: ExtendedKeyUsage;
  readonly names: readonly { readonly type: 'dns' | 'ip'; readonly value: string }[];
  readonly ports: Ports;
}

async function leaf(
  certificate: string | undefined,
  key: string | undefined,
  issuer: Issuer,
  now: number,
  request: LeafRequest,
): Promise<{ certificate: string; key: string; fresh: boolean }> {
  if (
    certificate !== undefined &&
    key !== undefined &&
    (await serves(certificate, key, issuer, now, request))
  )
    return { certificate, key, fresh: false };
  const keys = await makeKeys();
  const made = await X509CertificateGenerator.create(
    {
      serialNumber: serial(request.ports),
      subject: [{ CN: [request.commonName] }],
      issuer: issuer.authority.subjectName,
      notBefore: new Date(now - SKEW),
      notAfter: new Date(now + LIFETIME.leaf),
      publicKey: keys.publicKey,
      signingKey: issuer.keys.privateKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([request.usage]),
        ...alternativeNames(request.names),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
        await AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey),
      ],
    },
    webcrypto as never,
  );
  return { certificate: pem(made), key: await privatePem(keys), fresh: true };
}

function alternativeNames(names: LeafRequest['names']): Extension[] {
  return names.length === 0 ? [] : [new SubjectAlternativeNameExtension([...names])];
}

async function serves(
  certificatePem: string,
  keyPem: string,
  issuer: Issuer,
  now: number,
  request: LeafRequest,
): Promise<boolean> {
  try {
    const certificate = new X509Certificate(certificatePem);
    if (due(certificate, now) || !certificate.subjectName.getField('CN').includes(request.commonName))
      return false;
    const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.toJSON() ?? [];
    const has = new Set(names.map(({ type, value }) => `${type}:${value}`));
    if (
      has.size !== request.names.length ||
      request.names.some(({ type, value }) => !has.has(`${type}:${value}`))
    )
      return false;
    if (!matches(certificatePem, keyPem)) return false;
    return await certificate.verify(
      { publicKey: issuer.keys.publicKey, signatureOnly: true },
      webcrypto as never,
    );
  } catch {
    return false;
  }
}

async function signAuthority(
  keys: CryptoKeyPair,
  commonName: string,
  now: number,
  ports: Ports,
): Promise<X509Certificate> {
  return X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial(ports),
      name: [{ CN: [commonName] }],
      notBefore: new Date(now - SKEW),
      notAfter: new Date(now + LIFETIME.authority),
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    webcrypto as never,
  );
}

async function readAuthority(
  stored: Stored | undefined,
  commonName: string,
): Promise<{ certificate: X509Certificate; keys: CryptoKeyPair; keyPem: string } | undefined> {
  const certificatePem = stored?.['ca.crt'];
  const keyPem = stored?.['ca.key'];
  if (certificatePem === undefined || keyPem === undefined) return undefined;
  try {
    const certificate = new X509Certificate(certificatePem);
    if (!certificate.subjectName.getField('CN').includes(commonName) || !matches(certificatePem, keyPem))
      return undefined;
    const privateKey = await webcrypto.subtle.importKey(
      'pkcs8',
      PemConverter.decodeFirst(keyPem),
      ALGORITHM,
      true,
      ['sign'],
    );
    const publicKey = await certificate.publicKey.export(ALGORITHM, ['verify'], webcrypto as never);
    return { certificate, keys: { privateKey, publicKey } as CryptoKeyPair, keyPem };
  } catch {
    return undefined;
  }
}

function matches(certificatePem: string, keyPem: string): boolean {
  return new NodeCertificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem));
}

function due(certificate: X509Certificate, now: number): boolean {
  const from = certificate.notBefore.getTime();
  const until = certificate.notAfter.getTime();
  return now < from || now > until - (until - from) / 3;
}

async function makeKeys(): Promise<CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as CryptoKeyPair;
}

async function privatePem(keys: CryptoKeyPair): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey as webcrypto.CryptoKey);
  return `${PemConverter.encode(der, 'PRIVATE KEY')}\n`;
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

/** Positive and random, as RFC 5280 §4.1.2.2 asks. */
function serial({ random }: Ports): string {
  const bytes = random.bytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}
