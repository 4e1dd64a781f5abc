/** What a JSON text may be made of; Vault's limits of a listener, by its names. */
export interface JsonLimits {
  /** Lists and objects inside each other. */
  readonly maxDepth: number;
  /** Bytes of a text, a name or a number as they are written. */
  readonly maxStringValueLength: number;
  /** Members of one object. */
  readonly maxObjectEntryCount: number;
  /** Elements of one list. */
  readonly maxArrayElementCount: number;
  /** Values, names, brackets, commas and colons of the whole text. */
  readonly maxTokens: number;
}

/** What a stranger's text may be made of. */
export const SMALL_JSON: JsonLimits = {
  maxDepth: 32,
  maxStringValueLength: 1024 * 1024,
  maxObjectEntryCount: 1000,
  maxArrayElementCount: 1000,
  maxTokens: 10_000,
};

/** What a scan found: why a text is refused, or whether it has numbers that a double may not hold, and whether it has anything. */
export type JsonScan =
  | { readonly refused: string }
  | { readonly refused: undefined; readonly exact: boolean; readonly blank: boolean };

/** Bytes of a name: the runtime looks for each one among all that it knows. */
const MAX_NAME = 65_536;
const SHORT = 64;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
// Numbers are kept exactly by a function that is called for every value: it takes ten times as long.
const MAX_EXACT_TOKENS = 100_000;

/**
 * Looks at each byte of a JSON text once, and makes nothing of it: what would take long to parse is not parsed.
 * A text that is no JSON may pass: whatever a parser reads before it finds the fault is within the limits.
 */
export function scanJson(bytes: Uint8Array, limits: JsonLimits): JsonScan {
  const { maxDepth, maxStringValueLength: maxLength, maxTokens } = limits;
  // For each open bracket, how many commas there may be inside of it.
  const left: number[] = [];
  let tokens = 0;
  let exact = false;
  let length = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const code = bytes[at];
    // Blanks.
    if (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) continue;
    tokens += 1;
    if (tokens > maxTokens || (exact && tokens > MAX_EXACT_TOKENS))
      return { refused: 'JSON payload exceeds allowed token count' };
    if (code === QUOTE) {
      const end = endOfText(bytes, at + 1, maxLength);
      length = end - at - 1;
      if (length > maxLength) return { refused: 'JSON string value exceeds allowed length' };
      at = end;
    } else if (code === 0x7b || code === 0x5b) {
      const isObject = code === 0x7b;
      left.push(isObject ? limits.maxObjectEntryCount : limits.maxArrayElementCount);
      if (left.length > maxDepth) return { refused: 'JSON input exceeds allowed nesting depth' };
    } else if (code === 0x7d || code === 0x5d) {
      left.pop();
    } else if (code === 0x2c) {
      const more = (left.at(-1) ?? 1) - 1;
      if (left.length > 0) left[left.length - 1] = more;
      if (more < 1) return { refused: tooMany(bytes, at) };
    } else if (code === 0x3a) {
      if (length > MAX_NAME) return { refused: 'JSON object name exceeds allowed length' };
    } else {
      const end = endOfWord(bytes, at);
      if (end - at > maxLength) return { refused: 'JSON number value exceeds allowed length' };
      exact ||= isExact(bytes, at, end);
      at = end - 1;
    }
  }
  return { refused: undefined, exact, blank: tokens === 0 };
}

// Which kind of bracket a comma is in is only asked for when there are too many.
function tooMany(bytes: Uint8Array, comma: number): string {
  const open: number[] = [];
  for (let at = 0; at < comma; at += 1) {
    const code = bytes[at];
    if (code === QUOTE) at = endOfText(bytes, at + 1, bytes.length);
    else if (code === 0x7b || code === 0x5b) open.push(code);
    else if (code === 0x7d || code === 0x5d) open.pop();
  }
  return open.at(-1) === 0x7b
    ? 'JSON object exceeds allowed entry count'
    : 'JSON array exceeds allowed element count';
}

/** @returns where the closing quote is, or the end of the bytes, or somewhere beyond the limit */
function endOfText(bytes: Uint8Array, from: number, limit: number): number {
  const last = Math.min(bytes.length, from + limit + 1);
  let quote = -1;
  let at = from;
  while (at < last) {
    for (const pause = Math.min(at + SHORT, last); at < pause; at += bytes[at] === BACKSLASH ? 2 : 1)
      if (bytes[at] === QUOTE) return at;
    // A search of the runtime's own is faster, and not worth its call for a short text.
    if (quote < at) quote = bytes.subarray(at, last).indexOf(QUOTE) + at;
    if (quote < at) quote = last;
    const escape = bytes.subarray(at, quote).indexOf(BACKSLASH);
    if (escape === -1) return quote;
    at += escape;
  }
  return Math.min(at, bytes.length);
}

/** @returns where a number, or true, false or null, has ended */
function endOfWord(bytes: Uint8Array, from: number): number {
  let at = from + 1;
  for (; at < bytes.length; at += 1) {
    const code = bytes[at] ?? 0;
    if (code <= 0x20 || code === 0x2c || code === 0x3a || code === QUOTE) break;
    if (code === 0x5b || code === 0x5d || code === 0x7b || code === 0x7d) break;
  }
  return at;
}

// As long as a number of 15 digits with a sign and a point, and without exponent, every double is as it was written.
function isExact(bytes: Uint8Array, from: number, to: number): boolean {
  const first = bytes[from] ?? 0;
  if (first !== 0x2d && !(first >= 0x30 && first <= 0x39)) return false;
  if (to - from > 15) return true;
  for (let at = from; at < to; at += 1) if (bytes[at] === 0x65 || bytes[at] === 0x45) return true;
  return false;
}
