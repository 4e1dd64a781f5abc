import { AsnConvert } from '@peculiar/asn1-schema';
import {
  CertificateList,
  type Extension,
  RevokedCertificate,
  TBSCertList,
  Time,
  Version,
} from '@peculiar/asn1-x509';
import { identifierOf, type SignatureAlgorithm, signBytes, verifyBytes } from './algorithms.ts';
import type { Certificate } from './certificate.ts';
import { encode, toBuffer } from './der.ts';
import { authorityKeyIdentifier, crlNumber, deltaCrlIndicator } from './extensions.ts';
import type { SigningKey } from './signing-key.ts';

/** One revoked certificate. */
export interface RevokedEntry {
  /** The content of the INTEGER. */
  readonly serial: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly extensions?: readonly Extension[];
}

/** What a certificate revocation list is made of (RFC 5280 §5). Times are milliseconds since the epoch. */
export interface CrlContent {
  readonly entries: readonly RevokedEntry[];
  readonly number: number;
  /** Of a delta: the number of the list that it adds to. */
  readonly base?: number;
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  readonly extensions?: readonly Extension[];
}

/** Signs a list, in DER. */
export async function makeCrl(
  content: CrlContent,
  issuer: Certificate,
  key: SigningKey,
  algorithm: SignatureAlgorithm,
): Promise<Uint8Array> {
  const { entries, number, base, thisUpdate, nextUpdate, extensions = [] } = content;
  const tbsCertList = new TBSCertList({
    version: Version.v2,
    signature: identifierOf(algorithm),
    issuer: issuer.subject,
    thisUpdate: new Time(new Date(thisUpdate)),
    nextUpdate: new Time(new Date(nextUpdate)),
    ...(entries.length === 0 ? {} : { revokedCertificates: entries.map(revoked) }),
    crlExtensions: [
      authorityKeyIdentifier(issuer.subjectKeyId),
      crlNumber(number),
      ...(base === undefined ? [] : [deltaCrlIndicator(base)]),
      ...extensions,
    ],
  });
  return encode(
    new CertificateList({
      tbsCertList,
      signatureAlgorithm: identifierOf(algorithm),
      signature: toBuffer(await signBytes(encode(tbsCertList), key, algorithm)),
    }),
  );
}

function revoked({ serial, time, extensions = [] }: RevokedEntry): RevokedCertificate {
  return new RevokedCertificate({
    userCertificate: toBuffer(serial),
    revocationDate: new Time(new Date(time)),
    ...(extensions.length === 0 ? {} : { crlEntryExtensions: [...extensions] }),
  });
}

/** The entries of a list that an issuer's key signed; 'unsigned' when it did not, undefined for what is no list. */
export function readCrl(der: Uint8Array, issuer: Certificate): RevokedEntry[] | 'unsigned' | undefined {
  let list: CertificateList;
  try {
    // Lists of many entries have more parts than the reader takes by itself.
    list = AsnConvert.parse(toBuffer(der), CertificateList, { berOptions: { maxNodes: 5_000_000 } });
  } catch {
    return undefined;
  }
  const signed = list.tbsCertListRaw ?? AsnConvert.serialize(list.tbsCertList);
  const signature = new Uint8Array(list.signature);
  if (!verifyBytes(new Uint8Array(signed), signature, issuer.publicKey, list.signatureAlgorithm))
    return 'unsigned';
  return (list.tbsCertList.revokedCertificates ?? []).map(({ userCertificate, revocationDate }) => ({
    serial: new Uint8Array(userCertificate),
    time: revocationDate.getTime().getTime(),
  }));
}
