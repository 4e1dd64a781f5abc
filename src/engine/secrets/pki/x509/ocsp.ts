import { createHash } from 'node:crypto';
import {
  BasicOCSPResponse,
  type CertID,
  CertStatus,
  id_pkix_ocsp_basic,
  id_pkix_ocsp_nonce,
  KeyHash,
  OCSPRequest,
  OCSPResponse,
  OCSPResponseStatus,
  ResponderID,
  ResponseBytes,
  ResponseData,
  RevokedInfo,
  SingleResponse,
} from '@peculiar/asn1-ocsp';
import { OctetString } from '@peculiar/asn1-schema';
import type { Extension } from '@peculiar/asn1-x509';
import { equalBytes } from '../../../../lib/bytes.ts';
import { showSerial } from '../serial.ts';
import { identifierOf, type SignatureAlgorithm, signBytes } from './algorithms.ts';
import type { Certificate } from './certificate.ts';
import { decode, encode, toBuffer } from './der.ts';
import { hashOfKey } from './keys.ts';
import type { SigningKey } from './signing-key.ts';

const HASHES: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

/** One question for the status of a certificate (RFC 6960 §4.1). */
export interface OcspQuestion {
  readonly serial: string;
  readonly id: CertID;
  readonly hash: string;
  /** Sent back as it came. */
  readonly nonce: Extension | undefined;
}

/** @returns undefined for what is no request, asks nothing, or names its issuer by a hash that is not known */
export function readQuestion(der: Uint8Array): OcspQuestion | undefined {
  const request = decode(der, OCSPRequest);
  const id = request?.tbsRequest.requestList[0]?.reqCert;
  const hash = id === undefined ? undefined : HASHES[id.hashAlgorithm.algorithm];
  if (request === undefined || id === undefined || hash === undefined) return undefined;
  const nonce = request.tbsRequest.requestExtensions?.find(({ extnID }) => extnID === id_pkix_ocsp_nonce);
  return {
    serial: showSerial(new Uint8Array(id.serialNumber)),
    id,
    hash,
    nonce,
  };
}

/** @returns whether the question names this issuer */
export function asksAbout({ id, hash }: OcspQuestion, issuer: Certificate): boolean {
  const name = createHash(hash).update(encode(issuer.subject)).digest();
  return (
    equalBytes(new Uint8Array(id.issuerNameHash.buffer), name) &&
    equalBytes(new Uint8Array(id.issuerKeyHash.buffer), hashOfKey(issuer.spki, hash))
  );
}

/** What is told of a certificate; times are milliseconds since the epoch. */
export interface OcspAnswer {
  readonly status: 'good' | 'unknown' | { readonly revokedAt: number };
  readonly thisUpdate: number;
  /** Undefined where newer answers may come at any time. */
  readonly nextUpdate: number | undefined;
}

/** A signed answer (RFC 6960 §4.2.1), in DER. */
export async function makeAnswer(
  question: OcspQuestion,
  { status, thisUpdate, nextUpdate }: OcspAnswer,
  issuer: Certificate,
  key: SigningKey,
  algorithm: SignatureAlgorithm,
): Promise<Uint8Array> {
  const response = new SingleResponse({
    certID: question.id,
    certStatus: statusOf(status),
    thisUpdate: wholeSecond(thisUpdate),
    ...(nextUpdate === undefined ? {} : { nextUpdate: wholeSecond(nextUpdate) }),
  });
  const tbsResponseData = new ResponseData({
    responderID: new ResponderID({ byKey: new KeyHash(toBuffer(hashOfKey(issuer.spki, 'sha1'))) }),
    producedAt: wholeSecond(thisUpdate),
    responses: [response],
    ...(question.nonce === undefined ? {} : { responseExtensions: [question.nonce] }),
  });
  const basic = new BasicOCSPResponse({
    tbsResponseData,
    signatureAlgorithm: identifierOf(algorithm),
    signature: toBuffer(await signBytes(encode(tbsResponseData), key, algorithm)),
  });
  return encode(
    new OCSPResponse({
      responseStatus: OCSPResponseStatus.successful,
      responseBytes: new ResponseBytes({
        responseType: id_pkix_ocsp_basic,
        response: new OctetString(toBuffer(encode(basic))),
      }),
    }),
  );
}

/** An answer without a signature: why there is none. */
export function makeFailure(reason: 'malformedRequest' | 'internalError' | 'unauthorized'): Uint8Array {
  return encode(new OCSPResponse({ responseStatus: OCSPResponseStatus[reason] }));
}

function statusOf(status: OcspAnswer['status']): CertStatus {
  if (status === 'good') return new CertStatus({ good: null });
  if (status === 'unknown') return new CertStatus({ unknown: null });
  return new CertStatus({ revoked: new RevokedInfo({ revocationTime: wholeSecond(status.revokedAt) }) });
}

// RFC 5280 §4.1.2.5.2: GeneralizedTime without fractions.
function wholeSecond(milliseconds: number): Date {
  return new Date(Math.floor(milliseconds / 1000) * 1000);
}
