import type { KeyObject } from 'node:crypto';
import { concat, equalBytes, text, toBase64 } from '../../../lib/bytes.ts';
import { decodeBase64Url } from './base64.ts';
import type { KeyPolicy } from './policy.ts';
import type { KeyVersion } from './key-version.ts';
import { Refused } from './refused.ts';
import { rawPublicKey } from './signature.ts';

export type ExportFormat = '' | 'raw' | 'der' | 'pem';

const wrongFormat = (kind: string, formats: string): Refused =>
  new Refused(`unknown format for ${kind}; supported values are ${formats}`);
const symmetricFormats = '`` or `raw`';
const asymmetricFormats = '``, `der`, or `pem`';

/** A symmetric key in base64. */
export function exportSecret(key: KeyObject, format: ExportFormat): string | Refused {
  return format === 'der' || format === 'pem'
    ? wrongFormat('HMAC key', symmetricFormats)
    : toBase64(key.export());
}

/** A private key: PKCS #1 or SEC 1 PEM by default, the 64 bytes seed | public key for Ed25519, PKCS #8 when asked for. */
export function exportPrivate(
  policy: KeyPolicy,
  version: KeyVersion,
  format: ExportFormat,
): string | Refused {
  const key = version.privateKey;
  if (key === undefined) return '';
  if (policy.type === 'ed25519' && (format === '' || format === 'raw')) {
    const { d, x } = key.export({ format: 'jwk' });
    const seed = decodeBase64Url(d ?? '') ?? new Uint8Array(0);
    return toBase64(concat(seed, decodeBase64Url(x ?? '') ?? new Uint8Array(0)));
  }
  const isRsa = policy.type.startsWith('rsa');
  if (format === 'raw') return wrongFormat(isRsa ? 'rsa key' : 'ec key', asymmetricFormats);
  if (format === 'der') return toBase64(key.export({ type: 'pkcs8', format: 'der' }));
  const pem =
    format === 'pem'
      ? key.export({ type: 'pkcs8', format: 'pem' })
      : key.export({ type: isRsa ? 'pkcs1' : 'sec1', format: 'pem' });
  const shown = typeof pem === 'string' ? pem : text(pem);
  return isRsa ? shown : shown.trim();
}

/** A public key: PEM by default, the 32 bytes in base64 for Ed25519. */
export function exportPublic(policy: KeyPolicy, version: KeyVersion, format: ExportFormat): string | Refused {
  const key = version.publicKey;
  if (key === undefined) return noPublicKey(policy);
  if (policy.type === 'ed25519' && (format === '' || format === 'raw')) return toBase64(rawPublicKey(key));
  const isRsa = policy.type.startsWith('rsa');
  if (format === 'raw') return wrongFormat(isRsa ? 'rsa key' : 'ec key', asymmetricFormats);
  if (format === 'der') return toBase64(key.export({ type: 'spki', format: 'der' }));
  return isRsa ? publicKeyPem(key) : publicKeyPem(key).trim();
}

/** SubjectPublicKeyInfo as PEM. */
export function publicKeyPem(key: KeyObject): string {
  const pem = key.export({ type: 'spki', format: 'pem' });
  return typeof pem === 'string' ? pem : text(pem);
}

/** @returns whether two public keys are the same. KeyObject.equals of keys of two types leaves an error behind in OpenSSL, at which the next key to be parsed fails. */
export function samePublicKey(left: KeyObject, right: KeyObject): boolean {
  const der = { type: 'spki', format: 'der' } as const;
  return equalBytes(left.export(der), right.export(der));
}

/** Certificates in base64 DER as PEM. */
export function chainPem(chain: readonly string[]): string {
  return chain
    .map(
      (der) =>
        `-----BEGIN CERTIFICATE-----\n${(der.match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----`,
    )
    .join('\n');
}

function noPublicKey(policy: KeyPolicy): Refused {
  return new Refused(`unknown key type ${policy.type} for export type public-key`);
}
