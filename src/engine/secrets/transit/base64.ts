import { fromBase64, view } from '../../../lib/bytes.ts';
import { Refused } from './refused.ts';

/**
 * Decodes padded standard base64, in which line breaks are skipped.
 * @returns the bytes, or a refusal that names the offset of the first byte in error as clients know it
 */
export function decodeBase64(value: string): Uint8Array | Refused {
  return (
    fromBase64(value) ??
    (/[\r\n]/.test(value) ? fromBase64(value.replace(/[\r\n]/g, '')) : undefined) ??
    new Refused(`illegal base64 data at input byte ${firstError(value)}`)
  );
}

/** Decodes base64url without padding, as JWS has it. */
export function decodeBase64Url(value: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(value) || value.length % 4 === 1) return undefined;
  return fromBase64(
    value
      .replaceAll('-', '+')
      .replaceAll('_', '/')
      .padEnd(Math.ceil(value.length / 4) * 4, '='),
  );
}

const ALPHABET = /[A-Za-z0-9+/]/;
const isBreak = (character: string | undefined): boolean => character === '\n' || character === '\r';

// Everything before the first error is ASCII, so that characters count as bytes.
function firstError(value: string): number {
  let inQuantum = 0;
  for (let offset = 0; offset < value.length; offset += 1) {
    const character = value.charAt(offset);
    if (isBreak(character)) continue;
    if (ALPHABET.test(character)) {
      inQuantum = (inQuantum + 1) % 4;
      continue;
    }
    if (character !== '=' || inQuantum < 2) return offset;
    return paddingError(value, offset + 1, inQuantum);
  }
  return value.length - inQuantum;
}

function paddingError(value: string, start: number, inQuantum: number): number {
  let offset = start;
  while (isBreak(value[offset])) offset += 1;
  if (inQuantum === 3) return offset;
  if (offset >= value.length) return value.length;
  if (value[offset] !== '=') return offset - 1;
  offset += 1;
  while (isBreak(value[offset])) offset += 1;
  return offset;
}

/** Without padding (RFC 4648 §5). */
export function encodeBase64Url(bytes: Uint8Array): string {
  return view(bytes).toString('base64url');
}
