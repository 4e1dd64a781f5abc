import type { KeyObject } from 'node:crypto';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { concat } from '../../../lib/bytes.ts';
import { decodeBase64Url } from './base64.ts';
import { coordinateBytes, type CurveName } from './ecdsa-form.ts';

const curves = { 'P-256': p256, 'P-384': p384, 'P-521': p521 } as const;
// What was hashed is final, and either of the two forms of s is valid in FIPS 186-5.
const asItIs = { prehash: false, lowS: false } as const;

/**
 * ECDSA over a digest that the caller made (FIPS 186-5 §6.4), r | s. node:crypto hashes whatever it signs, so the
 * library signs; the nonce comes from key and digest (RFC 6979) with fresh randomness mixed in.
 */
export function signDigest(curve: CurveName, key: KeyObject, digest: Uint8Array): Uint8Array {
  const secret = coordinate(curve, key.export({ format: 'jwk' }).d);
  try {
    return curves[curve].sign(digest, secret, { ...asItIs, extraEntropy: true });
  } finally {
    secret.fill(0);
  }
}

/** Verifies a signature, r | s, over a digest that the caller made. */
export function verifyDigest(
  curve: CurveName,
  key: KeyObject,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { x, y } = key.export({ format: 'jwk' });
  const point = concat(Uint8Array.of(4), coordinate(curve, x), coordinate(curve, y));
  try {
    return curves[curve].verify(signature, digest, point, asItIs);
  } catch {
    // A signature of impossible numbers.
    return false;
  }
}

// A member of a JWK at its full length (RFC 7518 §6.2.1.2).
function coordinate(curve: CurveName, text: string | undefined): Uint8Array {
  const bytes = decodeBase64Url(text ?? '') ?? new Uint8Array(0);
  const full = new Uint8Array(coordinateBytes[curve]);
  full.set(bytes, full.length - bytes.length);
  return full;
}
