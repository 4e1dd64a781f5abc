import { fromBase64, text, toBase64, utf8 } from '../../../lib/bytes.ts';

/**
 * A value that several HSMs sealed, each by itself: one JSON object, so that a person can read who can open it.
 *
 *     {"version":1,"seal":"group","parts":[{"name":…,"blob":…},…]}
 *
 * `name` is the seal's in the configuration, `blob` base64 of what that seal alone would have stored.
 */
export interface Part {
  readonly name: string;
  readonly blob: Uint8Array;
}

/** @returns one part as it is; more than one in a frame */
export function encodeParts(parts: readonly Part[]): Uint8Array {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only.blob;
  const plain = parts.map(({ name, blob }) => ({ name, blob: toBase64(blob) }));
  return utf8(JSON.stringify({ version: 1, seal: 'group', parts: plain }));
}

/** @returns the parts; what is in no frame is one part without a name. Nothing is authenticated: each part is by its seal. */
export function decodeParts(bytes: Uint8Array): readonly Part[] {
  const alone = [{ name: '', blob: bytes }];
  let value: unknown;
  try {
    value = JSON.parse(text(bytes));
  } catch {
    return alone;
  }
  if (typeof value !== 'object' || value === null || !('seal' in value) || value.seal !== 'group')
    return alone;
  if (!('version' in value) || value.version !== 1 || !('parts' in value) || !Array.isArray(value.parts))
    return [];
  return value.parts.flatMap((part: unknown) => {
    if (typeof part !== 'object' || part === null || !('name' in part) || !('blob' in part)) return [];
    const blob = typeof part.blob === 'string' ? fromBase64(part.blob) : undefined;
    return typeof part.name === 'string' && blob !== undefined ? [{ name: part.name, blob }] : [];
  });
}
