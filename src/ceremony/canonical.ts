import { createHash } from 'node:crypto';
import type { Json } from '../lib/json.ts';

/**
 * JSON in one form only (RFC 8785), so that everybody computes the same digest: members sorted by UTF-16 code units, no
 * space. What ceremonies write has text, booleans, null and integers; other numbers are refused.
 */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((each) => canonicalJson(each)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([name, each]) => `${JSON.stringify(name)}:${canonicalJson(each)}`).join(',')}}`;
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    throw new TypeError('a digest is made of whole numbers only');
  return JSON.stringify(value);
}

/** @returns `sha256:` and 64 hex digits */
export function digestOf(value: Json): string {
  return `sha256:${createHash('sha256').update(canonicalJson(value)).digest('hex')}`;
}

/** Whether a text is in the form of a digest: `sha256:` and 64 hex digits. */
export function isDigest(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}
