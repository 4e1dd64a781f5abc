import { toBase64, utf8 } from '../bytes.ts';
import { qrPng } from './png.ts';
import { qrCode } from './qr.ts';

/** Pixels of a side beyond which no image is made: four times what the largest code needs. */
export const MAX_BARCODE_SIZE = 8192;

/**
 * A text as a QR code: a square PNG in base64.
 * @param size pixels of a side
 * @returns undefined when the code does not fit into them, or they are too many
 */
export function barcode(content: string, size: number): string | undefined {
  const rows = size > MAX_BARCODE_SIZE ? undefined : qrCode(utf8(content));
  const image = rows === undefined ? undefined : qrPng(rows, size);
  return image === undefined ? undefined : toBase64(image);
}
