import { concat } from '../bytes.ts';

/** One value of DER (X.690 §8.1) with a tag of one byte. */
export interface DerItem {
  readonly tag: number;
  readonly value: Uint8Array;
}

/** The values that stand one after the other. @returns undefined for what is no DER */
export function readDer(bytes: Uint8Array): DerItem[] | undefined {
  const items: DerItem[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at] ?? 0;
    const first = bytes[at + 1];
    if (first === undefined || (tag & 0x1f) === 0x1f) return undefined;
    const more = first < 0x80 ? 0 : first - 0x80;
    if (more > 3 || first === 0x80) return undefined;
    let length = more === 0 ? first : 0;
    for (let index = 0; index < more; index += 1) length = length * 256 + (bytes[at + 2 + index] ?? 0);
    const begin = at + 2 + more;
    if (begin + length > bytes.length) return undefined;
    items.push({ tag, value: bytes.subarray(begin, begin + length) });
    at = begin + length;
  }
  return items;
}

export function writeDer(tag: number, value: Uint8Array): Uint8Array {
  const { length } = value;
  const size =
    length < 0x80
      ? [length]
      : length < 0x100
        ? [0x81, length]
        : length < 0x10000
          ? [0x82, length >> 8, length & 0xff]
          : [0x83, length >> 16, (length >> 8) & 0xff, length & 0xff];
  return concat(Uint8Array.from([tag, ...size]), value);
}
