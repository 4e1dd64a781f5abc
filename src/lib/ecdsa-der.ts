/** DER of a signature r | s: a SEQUENCE of two INTEGERs. */
export function ecdsaDer(signature: Uint8Array): Uint8Array {
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
