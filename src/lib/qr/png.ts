import { crc32, deflateSync } from 'node:zlib';
import { concat, utf8 } from '../bytes.ts';

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/**
 * A square PNG (RFC 2083) in black and white: modules are as large as whole pixels allow, in the middle.
 * @param size pixels of a side
 * @returns undefined when there are fewer pixels than modules
 */
export function qrPng(rows: readonly (readonly boolean[])[], size: number): Uint8Array | undefined {
  const scale = Math.floor(size / rows.length);
  if (scale === 0) return undefined;
  const margin = Math.floor((size - rows.length * scale) / 2);
  const stride = Math.ceil(size / 8) + 1;
  const white = new Uint8Array(stride).fill(0xff);
  white[0] = 0;
  const lines: Uint8Array[] = Array.from({ length: size }, () => white);
  for (const [y, row] of rows.entries()) {
    const line = Uint8Array.from(white);
    for (const [x, dark] of row.entries()) {
      if (!dark) continue;
      for (let pixel = margin + x * scale; pixel < margin + (x + 1) * scale; pixel += 1) {
        const at = 1 + (pixel >> 3);
        line[at] = (line[at] ?? 0) & ~(0x80 >> (pixel & 7));
      }
    }
    lines.fill(line, margin + y * scale, margin + (y + 1) * scale);
  }
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, size);
  header.setUint32(4, size);
  // One bit a pixel, grayscale.
  header.setUint8(8, 1);
  return concat(
    SIGNATURE,
    chunk('IHDR', new Uint8Array(header.buffer)),
    chunk('IDAT', deflateSync(concat(...lines))),
    chunk('IEND', new Uint8Array()),
  );
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const body = concat(utf8(type), data);
  const numbers = new DataView(new ArrayBuffer(8));
  numbers.setUint32(0, data.length);
  numbers.setUint32(4, crc32(body));
  const bytes = new Uint8Array(numbers.buffer);
  return concat(bytes.subarray(0, 4), body, bytes.subarray(4));
}
