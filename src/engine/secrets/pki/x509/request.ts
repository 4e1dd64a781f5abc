import type { KeyObject } from 'node:crypto';
import { AsnConvert, AsnProp, AsnPropTypes, AsnType, AsnTypeTypes } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  Attribute,
  type Extension,
  Extensions,
  Name,
  SubjectPublicKeyInfo,
} from '@peculiar/asn1-x509';
import { identifierOf, type SignatureAlgorithm, signBytes, verifyBytes } from './algorithms.ts';
import { decode, encode, toBuffer } from './der.ts';
import { OID } from './extensions.ts';
import { readPublicKey, spkiOf } from './keys.ts';
import { type AlternativeNames, decodeNames, noNames } from './san.ts';
import type { SigningKey } from './signing-key.ts';

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';

/** CertificationRequestInfo (RFC 2986 §4.1). */
class RequestInfo {
  version = 0;
  subject: Name = new Name();
  subjectPublicKeyInfo: SubjectPublicKeyInfo = new SubjectPublicKeyInfo();
  attributes: Attribute[] = [];
}
AsnType({ type: AsnTypeTypes.Sequence })(RequestInfo);
AsnProp({ type: AsnPropTypes.Integer })(RequestInfo.prototype, 'version');
AsnProp({ type: Name })(RequestInfo.prototype, 'subject');
AsnProp({ type: SubjectPublicKeyInfo })(RequestInfo.prototype, 'subjectPublicKeyInfo');
AsnProp({ type: Attribute, repeated: 'set', context: 0, implicit: true, optional: true })(
  RequestInfo.prototype,
  'attributes',
);

/** CertificationRequest (RFC 2986 §4.2). */
class SignedRequest {
  info: RequestInfo = new RequestInfo();
  infoRaw?: ArrayBuffer;
  signatureAlgorithm: AlgorithmIdentifier = new AlgorithmIdentifier();
  signature: ArrayBuffer = new ArrayBuffer(0);
}
AsnType({ type: AsnTypeTypes.Sequence })(SignedRequest);
AsnProp({ type: RequestInfo, raw: true })(SignedRequest.prototype, 'info');
AsnProp({ type: AlgorithmIdentifier })(SignedRequest.prototype, 'signatureAlgorithm');
AsnProp({ type: AsnPropTypes.BitString })(SignedRequest.prototype, 'signature');

/** A certificate signing request that was read. */
export interface SigningRequest {
  readonly subject: Name;
  readonly spki: Uint8Array;
  /** Undefined for types of keys that are not known. */
  readonly publicKey: KeyObject | undefined;
  readonly extensions: readonly Extension[];
  /** Undefined when it cannot be read. */
  readonly names: AlternativeNames | undefined;
  /** Whether the key signed the request. */
  readonly isSigned: boolean;
}

/** @returns undefined for what is no request */
export function readRequest(der: Uint8Array): SigningRequest | undefined {
  const asn = decode(der, SignedRequest);
  if (asn === undefined) return undefined;
  const { info } = asn;
  const spki = encode(info.subjectPublicKeyInfo);
  const publicKey = readPublicKey(spki);
  const extensions = extensionsOf(info);
  if (extensions === undefined) return undefined;
  const names = extensions.find(({ extnID }) => extnID === OID.subjectAltName);
  const signed = new Uint8Array(asn.infoRaw ?? AsnConvert.serialize(info));
  return {
    subject: info.subject,
    spki,
    publicKey,
    extensions,
    names: names === undefined ? noNames : decodeNames(new Uint8Array(names.extnValue.buffer)),
    isSigned:
      publicKey !== undefined &&
      verifyBytes(signed, new Uint8Array(asn.signature), publicKey, asn.signatureAlgorithm),
  };
}

// Undefined when they cannot be read, or one is there twice (RFC 5280 §4.2).
function extensionsOf({ attributes }: RequestInfo): Extension[] | undefined {
  const found: Extension[] = [];
  for (const { type, values } of attributes ?? []) {
    if (type !== EXTENSION_REQUEST) continue;
    for (const value of values) {
      const extensions = decode(new Uint8Array(value), Extensions);
      if (extensions === undefined) return undefined;
      found.push(...extensions);
    }
  }
  const kinds = new Set(found.map(({ extnID }) => extnID));
  return kinds.size === found.length ? found : undefined;
}

/** A request for a certificate, in DER. */
export async function makeRequest(
  subject: Name,
  extensions: readonly Extension[],
  key: SigningKey,
  algorithm: SignatureAlgorithm,
): Promise<Uint8Array> {
  const info = new RequestInfo();
  info.subject = subject;
  const subjectPublicKeyInfo = decode(spkiOf(key), SubjectPublicKeyInfo);
  if (subjectPublicKeyInfo === undefined) throw new TypeError('a public key without its structure');
  info.subjectPublicKeyInfo = subjectPublicKeyInfo;
  if (extensions.length > 0) {
    const values = [toBuffer(encode(new Extensions([...extensions])))];
    info.attributes = [new Attribute({ type: EXTENSION_REQUEST, values })];
  }
  const request = new SignedRequest();
  request.info = info;
  request.signatureAlgorithm = identifierOf(algorithm);
  request.signature = toBuffer(await signBytes(encode(info), key, algorithm));
  return encode(request);
}
