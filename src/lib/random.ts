import { randomBytes, randomFillSync, randomInt, randomUUID } from 'node:crypto';

/** Randomness as a port. Bytes are in memory of their own, so that they may hold a key and be wiped. */
export interface Random {
  bytes(length: number): Uint8Array;
  uuid(): string;
  /** A number in [0, 1), for jitter only. */
  fraction(): number;
  /** length characters of 0-9A-Za-z, unbiased. */
  base62(length: number): string;
}

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const NONCE = 12;

// A call to the generator costs more than an encryption: nonces, which are no secret, are fetched many at once. Keys never are.
let ahead = new Uint8Array(0);
let taken = 0;

function nonce(length: number): Uint8Array {
  if (taken + length > ahead.length) {
    ahead = randomFillSync(new Uint8Array(256 * NONCE));
    taken = 0;
  }
  const bytes = ahead.slice(taken, taken + length);
  taken += length;
  return bytes;
}

/** The operating system's generator, through node:crypto. */
export const systemRandom: Random = {
  bytes: (length) => (length <= NONCE ? nonce(length) : randomFillSync(new Uint8Array(length))),
  uuid: () => randomUUID(),
  fraction: () => randomInt(2 ** 32) / 2 ** 32,
  base62: (length) => {
    let text = '';
    while (text.length < length) {
      for (const byte of randomBytes(length * 2)) {
        // 248 is the largest multiple of 62 in a byte: rejecting above it keeps every character equally likely.
        if (byte < 248 && text.length < length) text += ALPHABET[byte % 62];
      }
    }
    return text;
  },
};
