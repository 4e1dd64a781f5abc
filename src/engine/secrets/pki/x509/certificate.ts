import type { KeyObject } from 'node:crypto';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate as Asn1Certificate,
  type Extension,
  Extensions,
  KeyUsage,
  type Name,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509';
import { equalBytes } from '../../../../lib/bytes.ts';
import { showSerial } from '../serial.ts';
import { algorithmOf, identifierOf, type SignatureAlgorithm, signBytes, verifyBytes } from './algorithms.ts';
import { decode, encode, toBuffer } from './der.ts';
import { OID } from './extensions.ts';
import { keyIdentifier, readPublicKey } from './keys.ts';
import { type AlternativeNames, decodeNames, noNames } from './san.ts';
import type { SigningKey } from './signing-key.ts';

/** A certificate that was read (RFC 5280). Times are milliseconds since the epoch. */
export class Certificate {
  readonly der: Uint8Array;
  readonly publicKey: KeyObject;
  readonly serial: string;
  readonly subject: Name;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly #asn: Asn1Certificate;

  private constructor(der: Uint8Array, asn: Asn1Certificate, publicKey: KeyObject) {
    const { serialNumber, subject, validity } = asn.tbsCertificate;
    this.der = der;
    this.publicKey = publicKey;
    this.serial = showSerial(new Uint8Array(serialNumber));
    this.subject = subject;
    this.notBefore = validity.notBefore.getTime().getTime();
    this.notAfter = validity.notAfter.getTime().getTime();
    this.#asn = asn;
  }

  /** @returns undefined for what is no certificate, or one with a key of an unknown type */
  static read(der: Uint8Array): Certificate | undefined {
    const asn = decode(der, Asn1Certificate);
    if (asn === undefined) return undefined;
    const publicKey = readPublicKey(encode(asn.tbsCertificate.subjectPublicKeyInfo));
    return publicKey === undefined ? undefined : new Certificate(der, asn, publicKey);
  }

  /** The content of the INTEGER. */
  get serialBytes(): Uint8Array {
    return new Uint8Array(this.#asn.tbsCertificate.serialNumber);
  }

  get issuer(): Name {
    return this.#asn.tbsCertificate.issuer;
  }

  get spki(): Uint8Array {
    return encode(this.#asn.tbsCertificate.subjectPublicKeyInfo);
  }

  get extensions(): readonly Extension[] {
    return [...(this.#asn.tbsCertificate.extensions ?? [])];
  }

  get signatureAlgorithm(): SignatureAlgorithm | undefined {
    return algorithmOf(this.#asn.signatureAlgorithm);
  }

  /** The value of an extension. */
  extension(oid: string): Uint8Array | undefined {
    const found = this.extensions.find(({ extnID }) => extnID === oid);
    return found === undefined ? undefined : new Uint8Array(found.extnValue.buffer);
  }

  get isAuthority(): boolean {
    return this.#constraints()?.cA === true;
  }

  /** How many authorities may stand below this one; undefined for any number. */
  get pathLength(): number | undefined {
    return this.#constraints()?.pathLenConstraint;
  }

  /** 0 without the extension. */
  get keyUsage(): number {
    const value = this.extension(OID.keyUsage);
    return value === undefined ? 0 : (decode(value, KeyUsage)?.toNumber() ?? 0);
  }

  get names(): AlternativeNames {
    const value = this.extension(OID.subjectAltName);
    return value === undefined ? noNames : (decodeNames(value) ?? noNames);
  }

  /** The certificate's own identifier of its key, or the one that RFC 5280 would have. */
  get subjectKeyId(): Uint8Array {
    const value = this.extension(OID.subjectKeyIdentifier);
    const own = value === undefined ? undefined : decode(value, OctetString);
    return own === undefined ? keyIdentifier(this.spki) : new Uint8Array(own.buffer);
  }

  get authorityKeyId(): Uint8Array | undefined {
    const value = this.extension(OID.authorityKeyIdentifier);
    const id = value === undefined ? undefined : decode(value, AuthorityKeyIdentifier)?.keyIdentifier;
    return id === undefined ? undefined : new Uint8Array(id.buffer);
  }

  /** @returns whether another certificate's subject is this one's issuer and its key made the signature */
  isSignedBy(other: Certificate): boolean {
    if (!equalBytes(encode(this.issuer), encode(other.subject))) return false;
    const { tbsCertificateRaw, signatureValue, signatureAlgorithm } = this.#asn;
    const signed = tbsCertificateRaw ?? AsnConvert.serialize(this.#asn.tbsCertificate);
    return verifyBytes(
      new Uint8Array(signed),
      new Uint8Array(signatureValue),
      other.publicKey,
      signatureAlgorithm,
    );
  }

  get isSelfSigned(): boolean {
    return this.isSignedBy(this);
  }

  #constraints(): BasicConstraints | undefined {
    const value = this.extension(OID.basicConstraints);
    return value === undefined ? undefined : decode(value, BasicConstraints);
  }
}

/** What a certificate is made of. */
export interface CertificateContent {
  /** The content of the INTEGER. */
  readonly serial: Uint8Array;
  readonly issuer: Name;
  readonly subject: Name;
  /** Milliseconds since the epoch; the part below a second is dropped. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly spki: Uint8Array;
  readonly extensions: readonly Extension[];
}

/** Signs a certificate. */
export async function makeCertificate(
  content: CertificateContent,
  key: SigningKey,
  algorithm: SignatureAlgorithm,
): Promise<Certificate> {
  const subjectPublicKeyInfo = decode(content.spki, SubjectPublicKeyInfo);
  if (subjectPublicKeyInfo === undefined) throw new TypeError('a public key without its structure');
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: toBuffer(content.serial),
    signature: identifierOf(algorithm),
    issuer: content.issuer,
    validity: new Validity({
      notBefore: new Date(content.notBefore),
      notAfter: new Date(content.notAfter),
    }),
    subject: content.subject,
    subjectPublicKeyInfo,
    ...(content.extensions.length === 0 ? {} : { extensions: new Extensions([...content.extensions]) }),
  });
  const signatureValue = toBuffer(await signBytes(encode(tbsCertificate), key, algorithm));
  const made = new Asn1Certificate({
    tbsCertificate,
    signatureAlgorithm: identifierOf(algorithm),
    signatureValue,
  });
  const certificate = Certificate.read(encode(made));
  if (certificate === undefined) throw new TypeError('a certificate that cannot be read back');
  return certificate;
}
