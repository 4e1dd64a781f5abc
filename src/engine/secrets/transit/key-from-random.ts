import { checkPrime, createPrivateKey, hkdfSync, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { concat, fromHex, toHex, view } from '../../../lib/bytes.ts';
import type { KeyRandom } from '../../../lib/key-random.ts';
import { encodeBase64Url } from './base64.ts';
import type { KeyTraits } from './key-type.ts';

/**
 * Key pairs out of given randomness. node:crypto makes key pairs with its own generator only; these are for mounts that
 * may use the entropy of the seal. The arithmetic is JavaScript's, whose time depends on the numbers.
 */
type PairTraits = Extract<KeyTraits, { family: 'ecdsa' | 'ed25519' | 'rsa' }>;

const CURVES = { 'P-256': p256, 'P-384': p384, 'P-521': p521 } as const;
const SEED = 64;
const PUBLIC_EXPONENT = 65_537n;
const isPrime = promisify(checkPrime);

/** A private key of a type; random must be ready. */
export async function keyPairFrom(traits: PairTraits, random: KeyRandom): Promise<KeyObject> {
  if (traits.family === 'ed25519') return ed25519(random.bytes(32));
  return traits.family === 'rsa' ? rsa(traits.bits, random) : ecdsa(traits.curve, random);
}

// RFC 8410 §7: the private key is its seed.
function ed25519(seed: Uint8Array): KeyObject {
  const prefix = fromHex('302e020100300506032b657004220420') ?? new Uint8Array();
  return createPrivateKey({ key: view(concat(prefix, seed)), format: 'der', type: 'pkcs8' });
}

// FIPS 186-5 A.2.1: by extra random bits.
function ecdsa(curve: keyof typeof CURVES, random: KeyRandom): KeyObject {
  const group = CURVES[curve];
  const { ORDER, BYTES } = group.Point.Fn;
  const d = (integer(random.bytes(BYTES + 8)) % (ORDER - 1n)) + 1n;
  const secret = octets(d, BYTES);
  const point = group.getPublicKey(secret, false);
  const size = (point.length - 1) / 2;
  return createPrivateKey({
    format: 'jwk',
    key: {
      kty: 'EC',
      crv: curve,
      d: encodeBase64Url(secret),
      x: encodeBase64Url(point.subarray(1, 1 + size)),
      y: encodeBase64Url(point.subarray(1 + size)),
    },
  });
}

// FIPS 186-5 A.1.3: two random probable primes.
async function rsa(bits: number, random: KeyRandom): Promise<KeyObject> {
  for (;;) {
    await random.ready();
    const p = await prime(bits / 2, random.bytes(SEED));
    const q = await prime(bits / 2, random.bytes(SEED));
    const distance = p > q ? p - q : q - p;
    const d = inverse(PUBLIC_EXPONENT, lcm(p - 1n, q - 1n));
    if (distance >> BigInt(bits / 2 - 100) === 0n || d >> BigInt(bits / 2) === 0n) continue;
    const half = bits / 16;
    const text = (value: bigint, size: number): string => encodeBase64Url(octets(value, size));
    return createPrivateKey({
      format: 'jwk',
      key: {
        kty: 'RSA',
        n: text(p * q, bits / 8),
        e: 'AQAB',
        d: text(d, bits / 8),
        p: text(p, half),
        q: text(q, half),
        dp: text(d % (p - 1n), half),
        dq: text(d % (q - 1n), half),
        qi: text(inverse(q, p), half),
      },
    });
  }
}

// Candidates are HKDF outputs of one seed; the two highest bits are set, so that the product has its full length.
async function prime(bits: number, seed: Uint8Array): Promise<bigint> {
  try {
    for (let count = 0; ; count += 1) {
      const candidate = new Uint8Array(hkdfSync('sha512', seed, '', `sealedvault prime ${count}`, bits / 8));
      candidate[0] = (candidate[0] ?? 0) | 0xc0;
      candidate[candidate.length - 1] = (candidate.at(-1) ?? 0) | 1;
      const value = integer(candidate);
      if ((value - 1n) % PUBLIC_EXPONENT !== 0n && (await isPrime(value))) return value;
    }
  } finally {
    seed.fill(0);
  }
}

function integer(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`);
}

function octets(value: bigint, size: number): Uint8Array {
  return fromHex(value.toString(16).padStart(size * 2, '0')) ?? new Uint8Array();
}

function lcm(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return (a / x) * b;
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [r, next] = [modulus, value % modulus];
  let [t, step] = [0n, 1n];
  while (next !== 0n) {
    const quotient = r / next;
    [r, next] = [next, r - quotient * next];
    [t, step] = [step, t - quotient * step];
  }
  return t < 0n ? t + modulus : t;
}
