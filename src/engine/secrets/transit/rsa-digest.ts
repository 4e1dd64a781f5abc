import { constants, createHash, type KeyObject, privateEncrypt, publicDecrypt } from 'node:crypto';
import { concat, equalBytes, fromHex } from '../../../lib/bytes.ts';
import type { Random } from '../../../lib/random.ts';
import type { HashFunction } from './hash.ts';

/**
 * RSA signatures over a digest that the caller made (RFC 8017 §8, §9). node:crypto hashes whatever it signs, so the
 * encoding is done here and the private operation by OpenSSL.
 */
export function signPkcs1(key: KeyObject, hash: HashFunction | undefined, digest: Uint8Array): Uint8Array {
  return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, digestInfo(hash, digest));
}

/** @returns whether a PKCS #1 v1.5 signature is of the digest; without a hash function, of the bare bytes */
export function verifyPkcs1(
  key: KeyObject,
  hash: HashFunction | undefined,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    const signed = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature);
    return equalBytes(signed, digestInfo(hash, digest));
  } catch {
    return false;
  }
}

function digestInfo(hash: HashFunction | undefined, digest: Uint8Array): Uint8Array {
  return hash === undefined ? digest : concat(fromHex(hash.prefix) ?? new Uint8Array(0), digest);
}

/** Signs by EMSA-PSS with a salt of the given length. */
export function signPss(
  key: KeyObject,
  hash: HashFunction,
  digest: Uint8Array,
  saltLength: number,
  random: Random,
): Uint8Array {
  const bits = modulusBits(key) - 1;
  const length = Math.ceil(bits / 8);
  const salt = random.bytes(saltLength);
  const check = hashOf(hash, new Uint8Array(8), digest, salt);
  const block = concat(new Uint8Array(length - saltLength - hash.bytes - 2), Uint8Array.of(1), salt);
  const masked = xor(block, mask(hash, check, block.length));
  masked[0] = (masked[0] ?? 0) & (0xff >> (8 * length - bits));
  const encoded = concat(masked, check, Uint8Array.of(0xbc));
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, encoded);
}

/** Verifies an EMSA-PSS signature; without a salt length, whatever its length is. */
export function verifyPss(
  key: KeyObject,
  hash: HashFunction,
  digest: Uint8Array,
  signature: Uint8Array,
  saltLength: number | undefined,
): boolean {
  const bits = modulusBits(key) - 1;
  const length = Math.ceil(bits / 8);
  let encoded: Uint8Array;
  try {
    encoded = publicDecrypt({ key, padding: constants.RSA_NO_PADDING }, signature);
  } catch {
    return false;
  }
  if (encoded.length !== length || encoded.at(-1) !== 0xbc) return false;
  const masked = encoded.subarray(0, length - hash.bytes - 1);
  const check = encoded.subarray(length - hash.bytes - 1, length - 1);
  const clear = 0xff >> (8 * length - bits);
  if (((masked[0] ?? 0) & ~clear) !== 0) return false;
  const block = xor(masked, mask(hash, check, masked.length));
  block[0] = (block[0] ?? 0) & clear;
  const start = block.findIndex((byte) => byte !== 0);
  if (start === -1 || block[start] !== 1) return false;
  const salt = block.subarray(start + 1);
  if (saltLength !== undefined && salt.length !== saltLength) return false;
  return equalBytes(check, hashOf(hash, new Uint8Array(8), digest, salt));
}

/** Bits of the modulus of an RSA key. */
export function modulusBits(key: KeyObject): number {
  return key.asymmetricKeyDetails?.modulusLength ?? 0;
}

function hashOf(hash: HashFunction, ...parts: readonly Uint8Array[]): Uint8Array {
  const sum = createHash(hash.name);
  for (const part of parts) sum.update(part);
  return sum.digest();
}

// MGF1 (RFC 8017 §B.2.1).
function mask(hash: HashFunction, seed: Uint8Array, length: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let index = 0; index * hash.bytes < length; index += 1)
    blocks.push(hashOf(hash, seed, Uint8Array.of(index >>> 24, index >>> 16, index >>> 8, index)));
  return concat(...blocks).subarray(0, length);
}

function xor(left: Uint8Array, right: Uint8Array): Uint8Array {
  return left.map((byte, index) => byte ^ (right[index] ?? 0));
}
