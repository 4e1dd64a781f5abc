import { fromHex, toHex } from '../../../lib/bytes.ts';
import type { Random } from '../../../lib/random.ts';

/** The bytes of a serial number as clients see it: `3a:0f:…`, without leading zeros. */
export function showSerial(bytes: Uint8Array): string {
  return pairs(strip(bytes)).join(':');
}

/** A serial number as it is stored: `3a-0f-…`. Takes both forms, in either case. */
export function serialKey(serial: string): string {
  return serial.toLowerCase().replaceAll(':', '-');
}

/** The form of answers of a serial number as it is stored. */
export function serialOfKey(key: string): string {
  return key.replaceAll('-', ':');
}

/** The content of the INTEGER (X.690 §8.3) of a serial number in hex; colons, dots, dashes and blanks are skipped. */
export function serialContent(text: string): Uint8Array | undefined {
  const digits = text.replace(/[:.\- ]/g, '');
  const bytes = fromHex(digits.length % 2 === 0 ? digits : `0${digits}`);
  if (bytes === undefined || bytes.length === 0) return undefined;
  const plain = strip(bytes);
  return (plain[0] ?? 0) >= 0x80 ? new Uint8Array([0, ...plain]) : plain;
}

/** A random serial number of 159 bits (RFC 5280 §4.1.2.2: positive, at most 20 bytes). */
export function newSerial(random: Random): Uint8Array {
  for (;;) {
    const bytes = random.bytes(20);
    bytes[0] = (bytes[0] ?? 0) & 0x7f;
    if (bytes[0] !== 0) return bytes;
  }
}

function strip(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  return bytes.subarray(start);
}

function pairs(bytes: Uint8Array): string[] {
  return toHex(bytes).match(/../g) ?? [];
}

/** Bytes as pairs of hex digits between colons. */
export function colonHex(bytes: Uint8Array): string {
  return pairs(bytes).join(':');
}
