import { X509Certificate } from 'node:crypto';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  type Name,
  SubjectAlternativeName,
} from '@peculiar/asn1-x509';
import { fromBase64, text as decode, toHex } from '../../../lib/bytes.ts';
import type { ConstrainedNames } from '../../../lib/x509/name-constraints.ts';

/** A certificate (RFC 5280), read once. */
export interface ParsedCertificate {
  readonly der: Uint8Array;
  /** Checks signatures and issuers. */
  readonly x509: X509Certificate;
  readonly asn1: Certificate;
  readonly commonName: string;
  readonly organizationalUnits: readonly string[];
  readonly dnsNames: readonly string[];
  readonly emails: readonly string[];
  readonly uris: readonly string[];
  readonly names: ConstrainedNames;
  /** Decimal. */
  readonly serial: string;
  readonly subjectKeyId: Uint8Array;
  readonly authorityKeyId: Uint8Array;
  /** DER of the values, by their OIDs. */
  readonly extensions: ReadonlyMap<string, Uint8Array>;
  readonly critical: readonly string[];
  readonly isCa: boolean;
  readonly pathLength: number | undefined;
  readonly maySignCertificates: boolean;
  /** OIDs; undefined for any use. */
  readonly usages: readonly string[] | undefined;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** @returns undefined for what is no certificate */
export function parseCertificate(der: Uint8Array): ParsedCertificate | undefined {
  try {
    const asn1 = AsnConvert.parse(der, Certificate);
    const { subject, serialNumber, validity } = asn1.tbsCertificate;
    const extensions = new Map<string, Uint8Array>();
    const critical: string[] = [];
    for (const each of asn1.tbsCertificate.extensions ?? []) {
      extensions.set(each.extnID, new Uint8Array(each.extnValue.buffer));
      if (each.critical) critical.push(each.extnID);
    }
    const read = <T>(id: string, type: new () => T): T | undefined => {
      const value = extensions.get(id);
      return value === undefined ? undefined : AsnConvert.parse(value, type);
    };
    const basic = read(id_ce_basicConstraints, BasicConstraints);
    const usage = read(id_ce_keyUsage, KeyUsage);
    const names = [...(read(id_ce_subjectAltName, SubjectAlternativeName) ?? [])];
    const dnsNames = names.map(({ dNSName }) => dNSName).filter((each) => each !== undefined);
    const emails = names.map(({ rfc822Name }) => rfc822Name).filter((each) => each !== undefined);
    const uris = names
      .map(({ uniformResourceIdentifier }) => uniformResourceIdentifier)
      .filter((each) => each !== undefined);
    const subjectKeyId = read(id_ce_subjectKeyIdentifier, OctetString);
    const authority = read(id_ce_authorityKeyIdentifier, AuthorityKeyIdentifier)?.keyIdentifier;
    const usages = read(id_ce_extKeyUsage, ExtendedKeyUsage);
    return {
      der,
      x509: new X509Certificate(der),
      asn1,
      commonName: attributes(subject, '2.5.4.3').at(-1) ?? '',
      organizationalUnits: attributes(subject, '2.5.4.11'),
      dnsNames,
      emails,
      uris,
      names: {
        dns: dnsNames,
        emails,
        uris,
        ips: names.map(({ iPAddress }) => iPAddress).filter((each) => each !== undefined),
      },
      serial: decimal(new Uint8Array(serialNumber)),
      subjectKeyId: bytesOf(subjectKeyId),
      authorityKeyId: bytesOf(authority),
      extensions,
      critical,
      isCa: basic?.cA ?? false,
      pathLength: basic?.pathLenConstraint,
      maySignCertificates: usage === undefined || (usage.toNumber() & KeyUsageFlags.keyCertSign) !== 0,
      usages: usages === undefined ? undefined : [...usages],
      notBefore: validity.notBefore.getTime().getTime(),
      notAfter: validity.notAfter.getTime().getTime(),
    };
  } catch {
    return undefined;
  }
}

/** The certificates in a PEM text; what is none is left out. */
export function parsePem(pem: string): ParsedCertificate[] {
  const found: ParsedCertificate[] = [];
  for (const [, body = ''] of pem.matchAll(
    /-----BEGIN (?:TRUSTED )?CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END/g,
  )) {
    const der = fromBase64(body.replaceAll(/\s+/g, ''));
    const certificate = der === undefined ? undefined : parseCertificate(der);
    if (certificate !== undefined) found.push(certificate);
  }
  return found;
}

/** The text of a DER string, as extensions have it; empty for any other value. */
export function stringValue(der: Uint8Array): string {
  const [tag = 0, first = 0] = der;
  // UTF8String, NumericString, PrintableString, T61String, IA5String, GeneralString
  if (![0x0c, 0x12, 0x13, 0x14, 0x16, 0x1b].includes(tag)) return '';
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const length =
    lengthBytes === 0 ? first : der.slice(2, 2 + lengthBytes).reduce((sum, byte) => sum * 256 + byte, 0);
  const start = 2 + lengthBytes;
  return start + length === der.length ? decode(der.slice(start)) : '';
}

/** A serial number as a decimal. */
export function decimal(serial: Uint8Array): string {
  return serial.length === 0 ? '0' : BigInt(`0x${toHex(serial)}`).toString();
}

function attributes(name: Name, type: string): string[] {
  const found: string[] = [];
  for (const relative of name)
    for (const each of relative) if (each.type === type) found.push(each.value.toString());
  return found;
}

function bytesOf(value: OctetString | undefined): Uint8Array {
  return value === undefined ? new Uint8Array() : new Uint8Array(value.buffer);
}
