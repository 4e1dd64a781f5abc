import { randomBytes, randomFillSync, randomInt, randomUUID } from 'node:crypto';

/** Randomness as a port. Bytes are unpooled, so that they may hold a key and be wiped. */
export interface Random {
  bytes(length: number): Uint8Array;
  uuid(): string;
  /** A number in [0, 1), for jitter only. */
  fraction(): number;
  /** length characters of 0-9A-Za-z, unbiased. */
  base62(length: number): string;
}

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** The operating system's generator, through node:crypto. */
export const systemRandom: Random = {
  bytes: (length) => randomFillSync(new Uint8Array(length)),
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
