import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAst } from 'rolldown/parseAst';
import { analyse } from 'scslre';
import { describe, expect, test } from 'vitest';

const root = new URL('../../../', import.meta.url).pathname;

/** Methods that make a pattern of a text which they are given. */
const BY_TEXT: readonly unknown[] = ['match', 'matchAll', 'search'];

/** Folders in which `search` is what a directory does. */
const DIRECTORY = /^src\/engine\/auth\/ldap\//;

interface Node {
  readonly type?: unknown;
  readonly name?: unknown;
  readonly regex?: { readonly pattern: string; readonly flags: string };
  readonly callee?: Node;
  readonly property?: Node;
  readonly arguments?: readonly Node[];
  readonly computed?: unknown;
}

/** Every node of a source. */
function* nodes(value: unknown): Generator<Node> {
  if (typeof value !== 'object' || value === null || value instanceof RegExp) return;
  if (!Array.isArray(value)) yield value;
  for (const each of Object.values(value)) yield* nodes(each);
}

/** What is wrong with the patterns of a source: those made at run time, and those that may backtrack without end. */
function faults(source: string): string[] {
  const found: string[] = [];
  for (const node of nodes(parseAst(source, { lang: 'ts' }))) {
    if (node.type === 'Identifier' && node.name === 'RegExp') found.push('RegExp is named');
    if (node.regex !== undefined) {
      const { pattern, flags } = node.regex;
      const { reports } = analyse({ source: pattern, flags }, { assumeRejectingSuffix: false });
      for (const report of reports)
        found.push(`/${pattern}/${flags} backtracks over ${report.character.pick}`);
    }
    if (node.type !== 'CallExpression' || node.callee?.type !== 'MemberExpression') continue;
    if (node.callee.computed === true || !BY_TEXT.includes(node.callee.property?.name)) continue;
    const [pattern] = node.arguments ?? [];
    // A constant that holds a literal is written in capitals.
    const constant =
      pattern?.regex !== undefined ||
      (pattern?.type === 'Identifier' && /^[A-Z][A-Z_]*$/.test(String(pattern.name)));
    if (!constant) found.push(`${String(node.callee.property?.name)}() makes a pattern of a text`);
  }
  return found;
}

// Types of parameters and constants may name RegExp: those are no calls, and are told apart by their place.
function withoutTypes(source: string): string {
  return source.replaceAll(/: (?:readonly )?RegExp\b/g, ': unknown');
}

test('no pattern is made of data, and none that is written down takes more than linear time', () => {
  const found = globSync('src/**/*.ts', { cwd: root }).flatMap((file) =>
    faults(withoutTypes(readFileSync(join(root, file), 'utf8')))
      .filter((fault) => !(DIRECTORY.test(file) && fault.startsWith('search()')))
      .map((fault) => `${file}: ${fault}`),
  );
  expect(found).toEqual([]);
});

describe('the rule finds', () => {
  test.each([
    ['new RegExp(name)', 'RegExp is named'],
    ['RegExp(`^${name}$`)', 'RegExp is named'],
    ['const Made = RegExp; new Made(name)', 'RegExp is named'],
    ['globalThis.RegExp(name)', 'RegExp is named'],
    ['text.match(name)', 'match() makes a pattern of a text'],
    ['text.search(`${name}`)', 'search() makes a pattern of a text'],
    ['/(a+)+$/.test(text)', '/(a+)+$/ backtracks over a'],
    ['text.replace(/=+$/, "")', '/=+$/ backtracks over ='],
    ['/\\s*,?\\s*$/.exec(text)', '/\\s*,?\\s*$/ backtracks over  '],
  ])('%s', (source, fault) => {
    expect(faults(source).join('\n')).toContain(fault);
  });
  test.each(['/^a+$/.test(text)', 'text.match(/a/)', 'text.matchAll(PATTERN)', 'PATTERN.exec(text)'])(
    'nothing in %s',
    (source) => {
      expect(faults(source)).toEqual([]);
    },
  );
});
