/** A JSON value. Numbers that a double cannot hold exactly are kept as raw JSON and written back as they came. */
export type Json = null | boolean | number | string | RawNumber | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}
/** What JSON.rawJSON makes: opaque, and printed by JSON.stringify as it was read. */
export interface RawNumber {
  readonly rawJSON: string;
}

declare global {
  interface JSON {
    rawJSON(text: string): RawNumber;
    isRawJSON(value: unknown): value is RawNumber;
  }
}

// Only a run of 16 digits, or an exponent, can leave the range in which doubles and decimals agree.
const SUSPICIOUS = /\d{16}|\d\.\d{15}|[0-9][eE][+-]?\d/;

/** Lists and objects inside each other, at most: what walks a value by recursion must not run out of stack. */
export const MAX_JSON_DEPTH = 1000;

/**
 * Parses JSON without losing a digit.
 * @param exact whether there may be numbers that a double does not hold, for who knows
 * @throws SyntaxError, whose message may quote the text: never show it; RangeError beyond MAX_JSON_DEPTH
 */
export function parseJson(text: string, exact: boolean = SUSPICIOUS.test(text)): Json {
  // A text needs a character to open a level and one to close it.
  if (text.length > 2 * MAX_JSON_DEPTH && isTooDeep(text)) throw new RangeError('JSON is nested too deeply');
  return (exact ? JSON.parse(text, keepNumbers) : JSON.parse(text)) as Json;
}

function isTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === 0x5c) at += 1;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > MAX_JSON_DEPTH) return true;
    } else if (code === 0x5d || code === 0x7d) depth -= 1;
  }
  return false;
}

// The third argument is ES2026's; TypeScript's libraries do not know it yet.
function keepNumbers(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined) return value;
  return String(value) === context.source ? value : JSON.rawJSON(context.source);
}

/** @returns whether a value is an object of JSON members. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}

/** An own, enumerable member, also for names such as `__proto__`. */
export function setMember(target: JsonObject, key: string, value: Json): void {
  if (key === '__proto__')
    Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
  else target[key] = value;
}

/** An own member, never an inherited one. */
export function member(source: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(source, key) ? source[key] : undefined;
}
