import encodeQR from 'qr';
import { toBase64, utf8 } from '../bytes.ts';
import { qrPng } from './png.ts';

/** Pixels of a side beyond which no image is made: four times what the largest code needs. */
export const MAX_BARCODE_SIZE = 8192;

/** Bytes that the largest code at level M holds (ISO/IEC 18004 table 7). */
const MAX_CONTENT = 2331;

/**
 * A text as a QR code at level M: a square PNG in base64.
 * @param size pixels of a side
 * @returns undefined when the code does not fit into them, or they or the text are too many
 */
export function barcode(content: string, size: number): string | undefined {
  if (size > MAX_BARCODE_SIZE || utf8(content).length > MAX_CONTENT) return undefined;
  const framed = encodeQR(content, 'raw', { ecc: 'medium', encoding: 'byte', border: 1 });
  const image = qrPng(
    framed.slice(1, -1).map((row) => row.slice(1, -1)),
    size,
  );
  return image === undefined ? undefined : toBase64(image);
}
