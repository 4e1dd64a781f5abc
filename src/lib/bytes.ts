import { timingSafeEqual } from 'node:crypto';

/**
 * Encodings into memory of their own. Buffer.from(text) may sit in a pool that is shared with
 * everything else in the process, and so must not hold secrets.
 */

/** UTF-8 bytes of a text. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The text of UTF-8 bytes; invalid sequences become U+FFFD. */
export function text(bytes: Uint8Array): string {
  return view(bytes).toString('utf8');
}

export function toHex(bytes: Uint8Array): string {
  return view(bytes).toString('hex');
}

export function toBase64(bytes: Uint8Array): string {
  return view(bytes).toString('base64');
}

/** @returns the bytes, or undefined unless the text is an even number of hex digits. */
export function fromHex(value: string): Uint8Array | undefined {
  if (value.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(value)) return undefined;
  const out = Buffer.alloc(value.length / 2);
  out.write(value, 'hex');
  return plain(out);
}

/** @returns the bytes, or undefined unless the text is canonical, padded standard base64 (RFC 4648 §4). */
export function fromBase64(value: string): Uint8Array | undefined {
  if (value.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) return undefined;
  const padding = value.endsWith('==') ? 2 : value.endsWith('=') ? 1 : 0;
  const out = Buffer.alloc((value.length / 4) * 3 - padding);
  out.write(value, 'base64');
  return plain(out);
}

/** Constant-time for inputs of equal length; false at once for different lengths. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/** A Buffer over the same memory, without a copy. */
export function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
