import { createCipheriv, createDecipheriv, hkdfSync, type KeyObject } from 'node:crypto';
import { concat, utf8 } from '../../lib/bytes.ts';
import { BarrierCorrupt } from '../barrier/record.ts';

/**
 * The layout of a seal-wrapped value, which the barrier encrypts once more:
 *
 * | bytes | content |
 * |---|---|
 * | 0–3 | 00 53 57 01: a mark and the version; no document of this engine begins with it |
 * | 4–7 | epoch of the wrapping key, big-endian |
 * | 8–39 | salt, from the HSM |
 * | 40… | AES-256-GCM ciphertext, then its 16-byte tag; the storage path is additional authenticated data |
 *
 * Key and nonce are HKDF-SHA256 (RFC 5869) of the epoch's key and the salt, 44 bytes: each value has a key of its own.
 */
const MARK = Uint8Array.of(0, 0x53, 0x57, 1);
export const SALT = 32;
const HEADER = MARK.length + 4 + SALT;
const TAG = 16;

/** Whether a value that was read is wrapped. */
export function isWrapped(value: Uint8Array): boolean {
  return value.length >= HEADER + TAG && MARK.every((byte, index) => value[index] === byte);
}

/** @returns the epoch that a wrapped value names */
export function epochOf(value: Uint8Array): number {
  return new DataView(value.buffer, value.byteOffset + MARK.length, 4).getUint32(0);
}

export function wrapValue(
  { epoch, key }: { readonly epoch: number; readonly key: KeyObject },
  path: string,
  salt: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, epoch);
  const [valueKey, nonce] = derive(key, salt);
  const cipher = createCipheriv('aes-256-gcm', valueKey, nonce);
  cipher.setAAD(utf8(path));
  const ciphertext = concat(cipher.update(plaintext), cipher.final());
  valueKey.fill(0);
  return concat(MARK, number, salt, ciphertext, cipher.getAuthTag());
}

/** @throws ERR_BARRIER_CORRUPT for a value that was changed or moved, or is of another key */
export function unwrapValue(key: KeyObject, path: string, value: Uint8Array): Uint8Array {
  const [valueKey, nonce] = derive(key, value.subarray(HEADER - SALT, HEADER));
  const decipher = createDecipheriv('aes-256-gcm', valueKey, nonce);
  decipher.setAAD(utf8(path));
  decipher.setAuthTag(value.subarray(-TAG));
  try {
    return concat(decipher.update(value.subarray(HEADER, -TAG)), decipher.final());
  } catch (cause) {
    throw new BarrierCorrupt({ cause });
  } finally {
    valueKey.fill(0);
  }
}

function derive(key: KeyObject, salt: Uint8Array): [Uint8Array, Uint8Array] {
  const derived = new Uint8Array(hkdfSync('sha256', key, salt, 'sealedvault seal wrap', 44));
  return [derived.subarray(0, 32), derived.subarray(32)];
}
