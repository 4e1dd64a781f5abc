import type { KeyObject } from 'node:crypto';
import { toBase64 } from '../../../lib/bytes.ts';
import type { JsonObject } from '../../../lib/json.ts';
import type { Response } from '../../logical/response.ts';
import { toPem, trimmedPem } from './pem.ts';
import type { Certificate } from './x509/certificate.ts';
import { exportPrivate, typeOf } from './x509/keys.ts';

export type Format = 'pem' | 'der' | 'pem_bundle';

/** @returns undefined for anything else; names are without regard to case */
export function formatOf(text: string): Format | undefined {
  const name = text.toLowerCase();
  return name === 'pem' || name === 'der' || name === 'pem_bundle' ? name : undefined;
}

export const certificatePem = (certificate: Certificate): string =>
  trimmedPem('CERTIFICATE', certificate.der);

/** A certificate as text of a format: PEM, or DER in base64. */
export function showCertificate(certificate: Certificate, format: Format): string {
  return format === 'der' ? toBase64(certificate.der) : certificatePem(certificate);
}

export function showPrivate(key: KeyObject, format: Format, privateFormat: string): string {
  const { label, der } = exportPrivate(key, privateFormat === 'pkcs8');
  return format === 'der' ? toBase64(der) : trimmedPem(label, der);
}

/** private_key and private_key_type, where the key is given out. */
export function privateMembers(key: KeyObject, format: Format, privateFormat: string): JsonObject {
  return { private_key: showPrivate(key, format, privateFormat), private_key_type: typeOf(key) };
}

/** Key, certificate and chain in one text. */
export function pemBundle(
  certificate: Certificate,
  chain: readonly Certificate[],
  key: KeyObject | undefined,
): string {
  const parts = [certificatePem(certificate), ...chain.map(certificatePem)];
  if (key !== undefined) {
    const { label, der } = exportPrivate(key, false);
    parts.unshift(trimmedPem(label, der));
  }
  return parts.join('\n');
}

/** An answer of bytes; 204 when there are none. */
export function bytes(body: Uint8Array | undefined, contentType: string): Response {
  return body === undefined || body.length === 0
    ? { kind: 'bytes', status: 204, contentType, body: new Uint8Array(0) }
    : { kind: 'bytes', status: 200, contentType, body };
}

export const seconds = (milliseconds: number): number => Math.floor(milliseconds / 1000);

/** PEM of a list of revoked certificates, with a newline at its end. */
export const crlPem = (der: Uint8Array): string => toPem('X509 CRL', der);
