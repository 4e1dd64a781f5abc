import { trimEnd } from '../trim.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Base32 without padding (RFC 4648 §6). */
export function encodeBase32(bytes: Uint8Array): string {
  let out = '';
  let bits = 0;
  let buffer = 0;
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) out += ALPHABET.charAt((buffer >>> (bits - 5)) & 31);
    buffer &= (1 << bits) - 1;
  }
  return bits === 0 ? out : out + ALPHABET.charAt((buffer << (5 - bits)) & 31);
}

/** @returns the bytes of base32 in either case, with or without padding, or the offset of the first wrong character */
export function decodeBase32(text: string): Uint8Array | number {
  const digits = trimEnd(text.toUpperCase(), '=');
  const wrong = digits.search(/[^A-Z2-7]/);
  if (wrong !== -1) return wrong;
  // 1, 3 and 6 digits left over are more bits than a byte takes and fewer than the next needs.
  if ([1, 3, 6].includes(digits.length % 8)) return digits.length;
  const out = new Uint8Array(Math.floor((digits.length * 5) / 8));
  let bits = 0;
  let buffer = 0;
  let offset = 0;
  for (const digit of digits) {
    buffer = ((buffer << 5) | ALPHABET.indexOf(digit)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    out[offset] = (buffer >>> bits) & 0xff;
    offset += 1;
  }
  return out;
}
