export type CurveName = 'P-256' | 'P-384' | 'P-521';

/** Bytes of a coordinate, and of each half of a signature. */
export const coordinateBytes: Readonly<Record<CurveName, number>> = { 'P-256': 32, 'P-384': 48, 'P-521': 66 };

/** DER of a signature r | s: a SEQUENCE of two INTEGERs. */
export function toDer(signature: Uint8Array): Uint8Array {
  const half = signature.length / 2;
  const body = [signature.subarray(0, half), signature.subarray(half)].flatMap((part) => {
    let start = 0;
    while (start < part.length - 1 && part[start] === 0) start += 1;
    const digits = [...part.subarray(start)];
    if ((digits[0] ?? 0) >= 0x80) digits.unshift(0);
    return [0x02, digits.length, ...digits];
  });
  return Uint8Array.from(
    body.length < 0x80 ? [0x30, body.length, ...body] : [0x30, 0x81, body.length, ...body],
  );
}

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
  const again = toDer(out);
  return again.length === der.length && again.every((byte, index) => byte === der[index]) ? out : undefined;
}
