import {
  constants,
  createCipheriv,
  createDecipheriv,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
} from 'node:crypto';
import { concat, fromHex } from '../../../lib/bytes.ts';
import type { Random } from '../../../lib/random.ts';
import { modulusBits } from './rsa-digest.ts';
import { Refused } from './refused.ts';

/**
 * Keys in transport (CKM_RSA_AES_KEY_WRAP): an ephemeral AES-256 key under RSA-OAEP, followed by the key itself under
 * AES-KWP (RFC 5649) with the ephemeral one.
 */
const KWP = 'id-aes256-wrap-pad';
const KWP_IV = fromHex('A65959A6') ?? new Uint8Array(0);
const hashes = ['sha1', 'sha224', 'sha256', 'sha384', 'sha512'];

/** @returns OpenSSL's name for the `hash_function` of a request */
export function oaepHash(name: string): string | Refused {
  const lower = name.toLowerCase();
  return hashes.includes(lower) ? lower : new Refused(`unknown hash function: ${name}`);
}

/** Unwraps a key. The caller wipes it. */
export function unwrapKey(key: KeyObject, wrapped: Uint8Array, hash: string): Uint8Array | Refused {
  const length = modulusBits(key) / 8;
  if (wrapped.length <= length) return new Refused('provided ciphertext is too short');
  let ephemeral: Uint8Array | undefined;
  try {
    ephemeral = privateDecrypt(
      { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash },
      wrapped.subarray(0, length),
    );
    if (ephemeral.length !== 32) return new Refused('expected ephemeral AES key to be 256-bit');
    const unwrapping = createDecipheriv(KWP, ephemeral, KWP_IV);
    return concat(unwrapping.update(wrapped.subarray(length)), unwrapping.final());
  } catch {
    return new Refused('the ciphertext could not be unwrapped');
  } finally {
    ephemeral?.fill(0);
  }
}

/** Wraps a key for the holder of an RSA key. */
export function wrapKey(key: KeyObject, target: Uint8Array, hash: string, random: Random): Uint8Array {
  const ephemeral = random.bytes(32);
  const wrapping = createCipheriv(KWP, ephemeral, KWP_IV);
  const wrapped = concat(
    publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash }, ephemeral),
    wrapping.update(target),
    wrapping.final(),
  );
  ephemeral.fill(0);
  return wrapped;
}
