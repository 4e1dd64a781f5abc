/** `vault:v<N>:<payload>`, the form of everything a versioned key makes. */
export interface Versioned {
  readonly version: number;
  readonly payload: string;
}

const PREFIX = 'vault:v';

/** The text of a payload that a version of a key made. */
export function formatVersioned(version: number, payload: string): string {
  return `${PREFIX}${version}:${payload}`;
}

/** @returns the parts, or what is wrong, in the words clients know */
export function parseVersioned(text: string): Versioned | string {
  if (!text.startsWith(PREFIX)) return 'no prefix';
  const colon = text.indexOf(':', PREFIX.length);
  if (colon === -1) return 'wrong number of fields';
  const digits = text.slice(PREFIX.length, colon);
  if (!/^[+-]?\d{1,15}$/.test(digits)) return 'version number could not be decoded';
  return { version: Number(digits), payload: text.slice(colon + 1) };
}
