import { createECDH, type KeyObject } from 'node:crypto';
import { fromHex, toHex } from '../../../lib/bytes.ts';
import type { Random } from '../../../lib/random.ts';
import { decodeBase64Url } from './base64.ts';
import { add, type Curve, curves, invert, mod, multiply } from './curve.ts';

/**
 * ECDSA over a digest that the caller made (FIPS 186-5 §6.4). node:crypto hashes whatever it signs, so the equation is
 * computed here. The secret multiplication k·G is OpenSSL's; k and the private key meet arithmetic whose time varies
 * only behind a random factor that cancels out.
 */
export function signDigest(
  curveName: keyof typeof curves,
  key: KeyObject,
  digest: Uint8Array,
  random: Random,
): Uint8Array {
  const curve = curves[curveName];
  const { n, bytes } = curve;
  const d = toInteger(decodeBase64Url(key.export({ format: 'jwk' }).d ?? '') ?? new Uint8Array(0));
  const z = digestInteger(curve, digest);
  for (;;) {
    const k = randomScalar(curve, random);
    const r = mod(timesBase(curve, k).x, n);
    const blind = randomScalar(curve, random);
    const s = mod((mod(blind * z, n) + mod(blind * r, n) * d) * invert(blind * k, n), n);
    if (r === 0n || s === 0n) continue;
    const out = new Uint8Array(2 * bytes);
    out.set(toBytes(r, bytes), 0);
    out.set(toBytes(s, bytes), bytes);
    return out;
  }
}

/** Verifies a signature, r | s, over a digest that the caller made. */
export function verifyDigest(
  curveName: keyof typeof curves,
  key: KeyObject,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const curve = curves[curveName];
  const { n } = curve;
  const half = signature.length / 2;
  const r = toInteger(signature.subarray(0, half));
  const s = toInteger(signature.subarray(half));
  if (r === 0n || s === 0n || r >= n || s >= n) return false;
  const jwk = key.export({ format: 'jwk' });
  const point = {
    x: toInteger(decodeBase64Url(jwk.x ?? '') ?? new Uint8Array(0)),
    y: toInteger(decodeBase64Url(jwk.y ?? '') ?? new Uint8Array(0)),
  };
  const inverse = invert(s, n);
  const u1 = mod(digestInteger(curve, digest) * inverse, n);
  const base = u1 === 0n ? undefined : timesBase(curve, u1);
  const sum = add(curve, base, multiply(curve, point, mod(r * inverse, n)));
  return sum !== undefined && mod(sum.x, n) === r;
}

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

// The leftmost bits of the digest, as many as the order has.
function digestInteger(curve: Curve, digest: Uint8Array): bigint {
  const excess = digest.length * 8 - curve.orderBits;
  const value = toInteger(digest);
  return excess > 0 ? value >> BigInt(excess) : value;
}

function timesBase(curve: Curve, scalar: bigint): { readonly x: bigint; readonly y: bigint } {
  const ecdh = createECDH(curve.group);
  ecdh.setPrivateKey(toBytes(scalar, curve.bytes));
  const point = ecdh.getPublicKey();
  return {
    x: toInteger(point.subarray(1, 1 + curve.bytes)),
    y: toInteger(point.subarray(1 + curve.bytes)),
  };
}

function randomScalar(curve: Curve, random: Random): bigint {
  for (;;) {
    const bytes = random.bytes(curve.bytes);
    const spare = curve.bytes * 8 - curve.orderBits;
    bytes[0] = (bytes[0] ?? 0) & (0xff >> spare);
    const value = toInteger(bytes);
    bytes.fill(0);
    if (value > 0n && value < curve.n) return value;
  }
}

function toInteger(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${toHex(bytes)}`);
}

function toBytes(value: bigint, length: number): Uint8Array {
  return fromHex(value.toString(16).padStart(2 * length, '0')) ?? new Uint8Array(length);
}
