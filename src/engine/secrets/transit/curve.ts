/** A short Weierstrass curve with a = -3 (FIPS 186-5, SP 800-186 §3.2.1). */
export interface Curve {
  readonly group: 'prime256v1' | 'secp384r1' | 'secp521r1';
  /** Bytes of a coordinate. */
  readonly bytes: number;
  readonly p: bigint;
  readonly n: bigint;
  readonly orderBits: number;
}

export type Point = { readonly x: bigint; readonly y: bigint } | undefined;

export const curves: Readonly<Record<'P-256' | 'P-384' | 'P-521', Curve>> = {
  'P-256': {
    group: 'prime256v1',
    bytes: 32,
    p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    orderBits: 256,
  },
  'P-384': {
    group: 'secp384r1',
    bytes: 48,
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    n: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
    orderBits: 384,
  },
  'P-521': {
    group: 'secp521r1',
    bytes: 66,
    p: 2n ** 521n - 1n,
    n: 0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
    orderBits: 521,
  },
};

/** value mod modulus, never negative. */
export function mod(value: bigint, modulus: bigint): bigint {
  const rest = value % modulus;
  return rest < 0n ? rest + modulus : rest;
}

/** The inverse, by the extended Euclidean algorithm: its time depends on value, so callers blind what is secret. */
export function invert(value: bigint, modulus: bigint): bigint {
  let [a, b, u, v] = [mod(value, modulus), modulus, 1n, 0n];
  while (a !== 0n) {
    const quotient = b / a;
    [a, b, u, v] = [b - quotient * a, a, v - quotient * u, u];
  }
  return mod(v, modulus);
}

/** The sum of two points. Public values only: nothing here takes constant time. */
export function add(curve: Curve, left: Point, right: Point): Point {
  if (left === undefined) return right;
  if (right === undefined) return left;
  const { p } = curve;
  if (left.x === right.x && mod(left.y + right.y, p) === 0n) return undefined;
  const slope =
    left.x === right.x
      ? mod((3n * left.x * left.x - 3n) * invert(2n * left.y, p), p)
      : mod((right.y - left.y) * invert(right.x - left.x, p), p);
  const x = mod(slope * slope - left.x - right.x, p);
  return { x, y: mod(slope * (left.x - x) - left.y, p) };
}

/** A multiple of a point, in Jacobian coordinates. Public values only. */
export function multiply(
  curve: Curve,
  point: { readonly x: bigint; readonly y: bigint },
  scalar: bigint,
): Point {
  const { p } = curve;
  let [x, y, z] = [0n, 1n, 0n];
  const double = (): void => {
    const delta = mod(z * z, p);
    const gamma = mod(y * y, p);
    const beta = mod(x * gamma, p);
    const alpha = mod(3n * (x - delta) * (x + delta), p);
    const doubled = mod(alpha * alpha - 8n * beta, p);
    z = mod((y + z) * (y + z) - gamma - delta, p);
    y = mod(alpha * (4n * beta - doubled) - 8n * gamma * gamma, p);
    x = doubled;
  };
  for (const bit of scalar.toString(2)) {
    double();
    if (bit === '0') continue;
    if (z === 0n) {
      [x, y, z] = [point.x, point.y, 1n];
      continue;
    }
    const square = mod(z * z, p);
    const h = mod(point.x * square - x, p);
    const r = mod(point.y * z * square - y, p);
    if (h === 0n && r === 0n) {
      double();
      continue;
    }
    const cube = mod(h * h * h, p);
    const v = mod(x * h * h, p);
    x = mod(r * r - cube - 2n * v, p);
    y = mod(r * (v - x) - y * cube, p);
    z = mod(z * h, p);
  }
  if (z === 0n) return undefined;
  const inverse = invert(z, p);
  const square = mod(inverse * inverse, p);
  return { x: mod(x * square, p), y: mod(y * square * inverse, p) };
}
