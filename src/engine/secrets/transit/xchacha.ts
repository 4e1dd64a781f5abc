import { createCipheriv, type KeyObject } from 'node:crypto';
import { concat } from '../../../lib/bytes.ts';

const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;

/**
 * XChaCha20-Poly1305 as ChaCha20-Poly1305 under a key of its own for each nonce (draft-irtf-cfrg-xchacha-03 §2.3).
 * @param nonce of 24 bytes
 * @returns key and nonce for ChaCha20-Poly1305; the caller wipes the key
 */
export function narrowed(
  key: KeyObject | Uint8Array,
  nonce: Uint8Array,
): { readonly key: Uint8Array; readonly nonce: Uint8Array } {
  return {
    key: hchacha20(key, nonce.subarray(0, 16)),
    nonce: concat(new Uint8Array(4), nonce.subarray(16)),
  };
}

// §2.2: ChaCha20's state after its rounds, without the addition of the first state that ends a block: what OpenSSL's
// block adds is known for the words that are taken, the constants and the input, and is taken off again.
function hchacha20(key: KeyObject | Uint8Array, input: Uint8Array): Uint8Array {
  const cipher = createCipheriv('chacha20', key, input);
  const block = cipher.update(new Uint8Array(64));
  const from = new DataView(block.buffer, block.byteOffset, block.length);
  const given = new DataView(input.buffer, input.byteOffset, input.length);
  const out = new Uint8Array(32);
  const to = new DataView(out.buffer);
  for (const [index, constant] of CONSTANTS.entries()) {
    const at = index * 4;
    to.setUint32(at, (from.getUint32(at, true) - constant) >>> 0, true);
    to.setUint32(16 + at, (from.getUint32(48 + at, true) - given.getUint32(at, true)) >>> 0, true);
  }
  block.fill(0);
  return out;
}
