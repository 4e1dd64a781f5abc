import { createHmac, type KeyObject } from 'node:crypto';
import { equalBytes, utf8 } from '../bytes.ts';

export type TotpAlgorithm = 'SHA1' | 'SHA256' | 'SHA512';

/** What a code is made from besides the key. */
export interface CodeShape {
  readonly algorithm: TotpAlgorithm;
  readonly digits: 6 | 8;
  /** Seconds. */
  readonly period: number;
}

/** The code of a moment (RFC 6238, RFC 4226 §5.3). */
export function codeAt(key: KeyObject, shape: CodeShape, seconds: number): string {
  return codeOf(key, shape, Math.floor(seconds / shape.period));
}

/** @returns whether a code belongs to the moment, or to as many periods before and after as skew allows */
export function isValidCode(
  key: KeyObject,
  shape: CodeShape,
  skew: number,
  code: string,
  seconds: number,
): boolean {
  const step = Math.floor(seconds / shape.period);
  const given = utf8(code.trim());
  let valid = false;
  // Every step is compared, so that time does not tell which one matched.
  for (let offset = -skew; offset <= skew; offset += 1)
    if (step + offset >= 0 && equalBytes(utf8(codeOf(key, shape, step + offset)), given)) valid = true;
  return valid;
}

function codeOf(key: KeyObject, { algorithm, digits }: CodeShape, step: number): string {
  const counter = new Uint8Array(8);
  new DataView(counter.buffer).setBigUint64(0, BigInt(step));
  const sum = createHmac(algorithm.toLowerCase(), key).update(counter).digest();
  const offset = (sum.at(-1) ?? 0) & 0x0f;
  const number = sum.readUInt32BE(offset) & 0x7fffffff;
  return String(number % 10 ** digits).padStart(digits, '0');
}
