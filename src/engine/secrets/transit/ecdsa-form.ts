import { ecdsaDer } from '../../../lib/ecdsa-der.ts';

export type CurveName = 'P-256' | 'P-384' | 'P-521';

/** Bytes of a coordinate, and of each half of a signature. */
export const coordinateBytes: Readonly<Record<CurveName, number>> = { 'P-256': 32, 'P-384': 48, 'P-521': 66 };

/** @returns r | s of a DER signature, or undefined for anything but minimal DER */
export function fromDer(der: Uint8Array, bytes: number): Uint8Array | undefined {
  const out = new Uint8Array(2 * bytes);
  let offset = der[1] === 0x81 ? 3 : 2;
  for (const part of [0, 1]) {
    const length = der[offset + 1] ?? 0;
    const digits = der.subarray(offset + 2, offset + 2 + length);
    const value = digits[0] === 0 ? digits.subarray(1) : digits;
    if (value.length > bytes) return undefined;
    out.set(value, part * bytes + bytes - value.length);
    offset += 2 + length;
  }
  // What was read is written again and compared, so that there is one form only.
  const again = ecdsaDer(out);
  return again.length === der.length && again.every((byte, index) => byte === der[index]) ? out : undefined;
}
