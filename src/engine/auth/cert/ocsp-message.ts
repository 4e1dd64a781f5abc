import { createHash, verify } from 'node:crypto';
import {
  BasicOCSPResponse,
  CertID,
  OCSPRequest,
  OCSPResponse,
  Request,
  TBSRequest,
} from '@peculiar/asn1-ocsp';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import { AlgorithmIdentifier } from '@peculiar/asn1-x509';
import { equalBytes } from '../../../lib/bytes.ts';
import { type ParsedCertificate, parseCertificate } from './certificate.ts';
import { isUsable } from './chain.ts';

const SHA1 = '1.3.14.3.2.26';
const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9';
const BASIC_RESPONSE = '1.3.6.1.5.5.7.48.1.1';
const CLOCK_SKEW_MS = 5 * 60_000;
const DEFAULT_MAX_AGE_MS = 24 * 60 * 60_000;
/** Signature algorithms of responses, and their hashes. */
const HASHES: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null,
};

/** What a responder says of one certificate. */
export interface Status {
  readonly status: 'good' | 'revoked' | 'unknown';
  /** Milliseconds since the epoch. */
  readonly validUntil: number | undefined;
}

/** DER of a request about one certificate (RFC 6960 §4.1). */
export function ocspRequest(client: ParsedCertificate, issuer: ParsedCertificate): Uint8Array {
  const { name, key } = issuerHashes(issuer);
  const reqCert = new CertID({
    hashAlgorithm: new AlgorithmIdentifier({ algorithm: SHA1, parameters: null }),
    issuerNameHash: new OctetString(name),
    issuerKeyHash: new OctetString(key),
    serialNumber: client.asn1.tbsCertificate.serialNumber,
  });
  const request = new OCSPRequest({
    tbsRequest: new TBSRequest({ requestList: [new Request({ reqCert })] }),
  });
  return new Uint8Array(AsnConvert.serialize(request));
}

/**
 * Reads and verifies a response (RFC 6960 §4.2): signed by the issuer, by one whom the issuer lets sign answers, or by
 * one of the given authorities.
 * @param now milliseconds since the epoch
 * @param maxAge seconds since thisUpdate; 0 is a day for a response without nextUpdate (RFC 6960 §4.2.2.1)
 * @returns why it is not believed
 */
export function readResponse(
  der: Uint8Array,
  client: ParsedCertificate,
  issuer: ParsedCertificate,
  authorities: readonly ParsedCertificate[],
  now: number,
  maxAge: number,
): Status | { readonly failed: string } {
  try {
    const { responseStatus, responseBytes } = AsnConvert.parse(der, OCSPResponse);
    if (Number(responseStatus) !== 0 || responseBytes?.responseType !== BASIC_RESPONSE)
      return { failed: `OCSP response status ${Number(responseStatus)}` };
    const basic = AsnConvert.parse(responseBytes.response.buffer, BasicOCSPResponse);
    if (!isSigned(basic, issuer, authorities, now))
      return { failed: 'the OCSP response is signed by nobody known' };
    const { key } = issuerHashes(issuer);
    const found = basic.tbsResponseData.responses.find(
      ({ certID }) =>
        certID.hashAlgorithm.algorithm === SHA1 &&
        equalBytes(new Uint8Array(certID.issuerKeyHash.buffer), key) &&
        equalBytes(
          new Uint8Array(certID.serialNumber),
          new Uint8Array(client.asn1.tbsCertificate.serialNumber),
        ),
    );
    if (found === undefined) return { failed: 'the OCSP response is about another certificate' };
    const validUntil = lesser(
      found.nextUpdate?.getTime(),
      maxAge > 0 || found.nextUpdate === undefined
        ? found.thisUpdate.getTime() + (maxAge > 0 ? maxAge * 1000 : DEFAULT_MAX_AGE_MS)
        : undefined,
    );
    const late = validUntil !== undefined && validUntil + CLOCK_SKEW_MS < now;
    if (late || found.thisUpdate.getTime() - CLOCK_SKEW_MS > now)
      return { failed: 'the OCSP response is not of now' };
    const { good, revoked } = found.certStatus;
    const status = revoked !== undefined ? 'revoked' : good !== undefined ? 'good' : 'unknown';
    return { status, validUntil };
  } catch {
    return { failed: 'the OCSP response cannot be read' };
  }
}

function lesser(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

function isSigned(
  basic: BasicOCSPResponse,
  issuer: ParsedCertificate,
  authorities: readonly ParsedCertificate[],
  now: number,
): boolean {
  const hash = HASHES[basic.signatureAlgorithm.algorithm];
  if (hash === undefined) return false;
  const signed = new Uint8Array(basic.tbsResponseDataRaw ?? AsnConvert.serialize(basic.tbsResponseData));
  const signature = new Uint8Array(basic.signature);
  const trusted = [issuer, ...authorities];
  const delegates = (basic.certs ?? [])
    .map((each) => parseCertificate(new Uint8Array(AsnConvert.serialize(each))))
    .filter((each) => each !== undefined)
    .filter((each) => mayAnswer(each, trusted, now));
  return [...trusted, ...delegates].some((each) => {
    try {
      return verify(hash, signed, each.x509.publicKey, signature);
    } catch {
      return false;
    }
  });
}

function mayAnswer(delegate: ParsedCertificate, trusted: readonly ParsedCertificate[], now: number): boolean {
  return (
    isUsable(delegate, now) &&
    delegate.usages?.includes(OCSP_SIGNING) === true &&
    trusted.some(({ x509 }) => delegate.x509.checkIssued(x509) && delegate.x509.verify(x509.publicKey))
  );
}

// RFC 6960 §4.1.1: of the issuer's name, and of its key without the algorithm.
function issuerHashes({ asn1 }: ParsedCertificate): { readonly name: Uint8Array; readonly key: Uint8Array } {
  const { subject, subjectPublicKeyInfo } = asn1.tbsCertificate;
  const sha1 = (bytes: ArrayBuffer): Uint8Array =>
    new Uint8Array(createHash('sha1').update(new Uint8Array(bytes)).digest());
  return { name: sha1(AsnConvert.serialize(subject)), key: sha1(subjectPublicKeyInfo.subjectPublicKey) };
}
