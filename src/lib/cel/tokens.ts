import { CelFault } from './fault.ts';
import type { CelValue } from './values.ts';

export type Token = { readonly offset: number } & (
  | { readonly kind: 'literal'; readonly value: CelValue }
  | { readonly kind: 'name' | 'sign'; readonly text: string }
);

const BLANK = /(?:\s|\/\/[^\n]*)+/y;
const TEXT =
  /(?<raw>[rR])?(?:"""(?<a>(?:\\[\s\S]|(?!""")[^\\])*)"""|'''(?<b>(?:\\[\s\S]|(?!''')[^\\])*)'''|"(?<c>(?:\\[\s\S]|[^"\\\n])*)"|'(?<d>(?:\\[\s\S]|[^'\\\n])*)')/y;
const NUMBER =
  /(?<hex>0[xX][0-9a-fA-F]+)[uU]?|(?<double>\d+\.\d+(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)|(?<int>\d+)[uU]?/y;
const NAME = /[A-Za-z_]\w*/y;
const SIGN = /&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()[\]{}]/y;
const ESCAPE =
  /\\(?:u(?<u>[0-9a-fA-F]{4})|U(?<U>[0-9a-fA-F]{8})|[xX](?<x>[0-9a-fA-F]{2})|(?<octal>[0-3][0-7]{2})|(?<one>[\s\S]))/g;
const ONES: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};
const MAX_LENGTH = 100_000;
/** What walks the tree of an expression by recursion must not run out of stack. */
const MAX_TOKENS = 5000;

/** The words of an expression. @throws CelFault */
export function tokens(text: string): Token[] {
  if (text.length > MAX_LENGTH) throw new CelFault('the expression is too long');
  const found: Token[] = [];
  let offset = 0;
  const next = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = offset;
    const match = pattern.exec(text);
    if (match === null) return undefined;
    offset += match[0].length;
    return match;
  };
  for (;;) {
    next(BLANK);
    const start = offset;
    if (start >= text.length) return found;
    if (found.length === MAX_TOKENS) throw new CelFault('the expression is too long');
    const quoted = next(TEXT);
    if (quoted !== undefined) {
      const { raw, a, b, c, d } = quoted.groups ?? {};
      const body = a ?? b ?? c ?? d ?? '';
      found.push({ kind: 'literal', value: raw === undefined ? unescape(body) : body, offset: start });
      continue;
    }
    const number = next(NUMBER);
    if (number !== undefined) {
      const { hex, double, int } = number.groups ?? {};
      const value = double === undefined ? BigInt(hex ?? int ?? 0) : Number(double);
      found.push({ kind: 'literal', value, offset: start });
      continue;
    }
    const name = next(NAME);
    const word = name ?? next(SIGN);
    if (word === undefined) throw new CelFault(`syntax error at character ${start + 1}`);
    found.push({ kind: name === undefined ? 'sign' : 'name', text: word[0], offset: start });
  }
}

function unescape(text: string): string {
  return text.replaceAll(ESCAPE, (...given) => {
    const { u, U, x, octal, one = '' } = given.at(-1) as Record<string, string | undefined>;
    const code = u ?? U ?? x;
    if (code !== undefined) return point(Number.parseInt(code, 16));
    if (octal !== undefined) return point(Number.parseInt(octal, 8));
    if (Object.hasOwn(ONES, one)) return ONES[one] ?? '';
    if (/[\\'"`?]/.test(one)) return one;
    throw new CelFault('unknown escape in a text');
  });
}

function point(code: number): string {
  if (code > 0x10_ff_ff) throw new CelFault('unknown escape in a text');
  return String.fromCodePoint(code);
}
