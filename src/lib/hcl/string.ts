import { HclSyntaxError } from './tree.ts';

const SIMPLE: ReadonlyMap<string, string> = new Map([
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
  ['\\', '\\'],
  ['"', '"'],
]);

const DIGITS: ReadonlyMap<string, number> = new Map([
  ['x', 2],
  ['u', 4],
  ['U', 8],
]);

/**
 * Reads a quoted string of native HCL. `${…}` is kept verbatim, with the quotes and line breaks in it.
 *
 * @param start the offset of the opening quote
 * @returns the unescaped text and the offset behind the closing quote
 * @throws ERR_HCL_SYNTAX
 */
export function readString(source: string, start: number): { text: string; end: number } {
  const parts: string[] = [];
  let offset = start + 1;
  for (;;) {
    const char = source[offset];
    if (char === undefined || char === '\n')
      throw new HclSyntaxError(source, start, 'literal not terminated');
    if (char === '"') return { text: parts.join(''), end: offset + 1 };
    if (char === '\\') {
      const { text, end } = readEscape(source, offset);
      parts.push(text);
      offset = end;
    } else if (char === '$' && source[offset + 1] === '{') {
      const end = skipInterpolation(source, offset, start);
      parts.push(source.slice(offset, end));
      offset = end;
    } else {
      parts.push(char);
      offset += 1;
    }
  }
}

function readEscape(source: string, at: number): { text: string; end: number } {
  const char = source[at + 1] ?? '';
  const simple = SIMPLE.get(char);
  if (simple !== undefined) return { text: simple, end: at + 2 };
  const digits = DIGITS.get(char);
  const octal = digits === undefined;
  const from = octal ? at + 1 : at + 2;
  const raw = source.slice(from, from + (digits ?? 3));
  const valid = octal ? /^[0-3][0-7]{2}$/.test(raw) : raw.length === digits && /^[0-9a-fA-F]+$/.test(raw);
  const code = Number.parseInt(raw, octal ? 8 : 16);
  if (!valid || code > 0x10ffff) throw new HclSyntaxError(source, at, 'illegal char escape');
  return { text: String.fromCodePoint(code), end: from + raw.length };
}

function skipInterpolation(source: string, at: number, start: number): number {
  let depth = 0;
  for (let offset = at + 1; offset < source.length; offset += 1) {
    const char = source[offset];
    if (char === '{') depth += 1;
    if (char === '}') depth -= 1;
    if (depth === 0) return offset + 1;
  }
  throw new HclSyntaxError(source, start, 'literal not terminated');
}
