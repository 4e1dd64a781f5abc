import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const page = readFileSync(new URL('../../docs/advisories.md', import.meta.url), 'utf8');
const folder = new URL('./', import.meta.url);
const ID = /CVE-\d{4}-\d{4,6}|HCSEC-\d{4}-\d+|GHSA(?:-[0-9a-z]{4}){3}/g;

interface Row {
  readonly ids: readonly string[];
  readonly what: string;
  readonly tried: string;
  readonly files: readonly string[];
  readonly result: string;
}

const rows: Row[] = page
  .split('\n')
  .filter((line) => /^\| (?:CVE|HCSEC|GHSA)-/.test(line))
  .map((line) => {
    const [, ids = '', what = '', tried = '', files = '', result = ''] = line
      .split('|')
      .map((cell) => cell.trim());
    return { ids: ids.match(ID) ?? [], what, tried, files: files.match(/[\w-]+\.test\.ts/g) ?? [], result };
  });

/** Which files have a test of an id. */
const tested = new Map<string, Set<string>>();
for (const file of readdirSync(folder).filter((name) => name.endsWith('.test.ts'))) {
  const source = readFileSync(new URL(file, folder), 'utf8');
  for (const [, name = ''] of source.matchAll(
    /^test(?:\.each\([^\n]*\))?\(\s*['"`]((?:CVE|HCSEC|GHSA)-[^'"`]*)/gm,
  )) {
    const [ids = ''] = name.split(':');
    for (const id of ids.match(ID) ?? []) tested.set(id, (tested.get(id) ?? new Set()).add(file));
  }
}

test('every id that has a test has a row, which names its file', () => {
  const told = new Map(rows.flatMap(({ ids, files }) => ids.map((id) => [id, files] as const)));
  for (const [id, files] of tested)
    expect([id, told.get(id)?.toSorted()]).toEqual([id, [...files].toSorted()]);
  expect(tested.size).toBeGreaterThan(70);
});

test('every row that says that something was tried has a test of each of its ids; no other has', () => {
  for (const { ids, files, result } of rows) {
    expect([ids, ids.length > 0, ['held', 'stands', 'cannot apply'].includes(result)]).toEqual([
      ids,
      true,
      true,
    ]);
    for (const id of ids)
      expect([id, [...(tested.get(id) ?? [])].toSorted()]).toEqual([id, files.toSorted()]);
    expect([ids, files.length > 0]).toEqual([ids, result === 'held']);
  }
});

test('no id has two rows, and every row says what was wrong and what was tried', () => {
  const ids = rows.flatMap((row) => row.ids);
  expect(ids.toSorted()).toEqual([...new Set(ids)].toSorted());
  for (const {
    ids: [id],
    what,
    tried,
  } of rows)
    expect([id, what.length > 10, tried.length > 10]).toEqual([id, true, true]);
});

test('every test in this folder but these begins with an id', () => {
  for (const file of readdirSync(folder).filter(
    (name) => name.endsWith('.test.ts') && name !== 'catalogue.test.ts',
  )) {
    const source = readFileSync(new URL(file, folder), 'utf8');
    const names = [...source.matchAll(/^\s*(?:test|it)(?:\.\w+)*\(\s*['"`]([^'"`]*)/gm)].map(
      ([, name]) => name,
    );
    for (const name of names)
      expect([file, name]).toEqual([file, expect.stringMatching(/^(?:CVE|HCSEC|GHSA)-/)]);
  }
});
