import { fromBase64, text, utf8 } from './bytes.ts';

/**
 * Decodes a root token that was encoded with a one-time password, as `vault operator generate-root -decode` does.
 * @param encoded base64, with or without padding
 * @returns undefined when the two do not belong together
 */
export function decodeToken(encoded: string, otp: string): string | undefined {
  const bytes = fromBase64(encoded.padEnd(Math.ceil(encoded.length / 4) * 4, '='));
  const pad = utf8(otp);
  if (bytes === undefined || bytes.length !== pad.length) return undefined;
  return text(bytes.map((byte, index) => byte ^ (pad[index] ?? 0)));
}
