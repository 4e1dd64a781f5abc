import { fromBase64, toBase64 } from '../../../lib/bytes.ts';

/** RFC 4648 §5, without padding. */
export function toBase64url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** The bytes of base64url that node:crypto wrote; nothing for anything else. */
export function fromBase64url(text: string): Uint8Array {
  const standard = text.replaceAll('-', '+').replaceAll('_', '/');
  return fromBase64(standard.padEnd(Math.ceil(standard.length / 4) * 4, '=')) ?? new Uint8Array();
}

/** Without leading zeros: how RFC 7518 wants the numbers of RSA keys. */
export function unsigned(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first === -1 ? bytes : bytes.subarray(first);
}
