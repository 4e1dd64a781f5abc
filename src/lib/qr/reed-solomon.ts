/** Products in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1, as QR codes have it (ISO/IEC 18004 §7.5.2). */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ ((product >>> 7) * 0x11d);
    product ^= ((b >>> bit) & 1) * a;
  }
  return product;
}

/** The generator polynomial of a number of codewords, without its leading 1. */
function generator(degree: number): Uint8Array {
  const polynomial = new Uint8Array(degree);
  polynomial[degree - 1] = 1;
  let root = 1;
  for (let round = 0; round < degree; round += 1) {
    for (let index = 0; index < degree; index += 1)
      polynomial[index] = multiply(polynomial[index] ?? 0, root) ^ (polynomial[index + 1] ?? 0);
    root = multiply(root, 2);
  }
  return polynomial;
}

/** @returns the codewords that correct errors of a block */
export function errorCorrection(block: Uint8Array, count: number): Uint8Array {
  const divisor = generator(count);
  const rest = new Uint8Array(count);
  for (const byte of block) {
    const factor = byte ^ (rest[0] ?? 0);
    rest.copyWithin(0, 1);
    rest[count - 1] = 0;
    for (let index = 0; index < count; index += 1)
      rest[index] = (rest[index] ?? 0) ^ multiply(divisor[index] ?? 0, factor);
  }
  return rest;
}
