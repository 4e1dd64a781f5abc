import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FieldRefusal, readFields } from '../../../src/engine/logical/fields.ts';
import { path, PathTable } from '../../../src/engine/logical/logical.ts';
import { empty } from '../../../src/engine/logical/response.ts';
import { Router } from '../../../src/engine/mount/mount.ts';
import { formatDuration, parseDuration } from '../../../src/lib/duration.ts';
import { parseJson } from '../../../src/lib/json.ts';

const row = (pattern: string) =>
  path({ pattern, synopsis: '', fields: {}, operations: { read: { summary: '', handler: () => empty } } });

describe('path table', () => {
  const table = new PathTable(
    ['config', 'roles/:name', 'roles', 'data/*path', 'lookup', 'lookup-self', '*rest'].map(row),
  );
  test.each([
    ['config', 'config', {}],
    ['config/', 'config', {}],
    ['config/x', '*rest', { rest: 'config/x' }],
    ['roles', 'roles', {}],
    ['roles/', 'roles', {}],
    ['roles/a', 'roles/:name', { name: 'a' }],
    ['roles/a/b', '*rest', { rest: 'roles/a/b' }],
    ['data', 'data/*path', { path: '' }],
    ['data/a/b', 'data/*path', { path: 'a/b' }],
    ['lookup-self', 'lookup-self', {}],
    ['', '*rest', { rest: '' }],
  ])('%j is served by %s', (relative, pattern, values) => {
    const found = table.find(relative);
    expect(found?.path.pattern).toBe(pattern);
    expect(found?.values).toEqual(values);
  });
});

test('the router agrees with a search for the longest prefix', () => {
  const segment = fc.constantFrom('a', 'b', 'ab', 'c');
  const prefix = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => `${parts.join('/')}/`);
  fc.assert(
    fc.property(
      fc.uniqueArray(prefix, { maxLength: 6 }),
      fc.array(segment, { maxLength: 5 }),
      fc.boolean(),
      (prefixes, parts, slash) => {
        const chosen = prefixes.filter(
          (each) => !prefixes.some((other) => other !== each && each.startsWith(other)),
        );
        const router = new Router();
        for (const each of chosen) router.set({ prefix: each } as Parameters<Router['set']>[0]);
        const wanted = parts.join('/') + (slash && parts.length > 0 ? '/' : '');
        const naive = chosen
          .filter((each) => wanted.startsWith(each) || `${wanted}/` === each)
          .toSorted((a, b) => b.length - a.length)[0];
        expect(router.find(wanted)?.prefix).toBe(naive);
      },
    ),
  );
});

describe('fields', () => {
  const fields = {
    text: { type: 'string', description: '' },
    count: { type: 'int', description: '' },
    flag: { type: 'bool', description: '' },
    ttl: { type: 'duration', description: '' },
    names: { type: 'commaList', description: '' },
    versions: { type: 'intList', description: '' },
    labels: { type: 'stringMap', description: '' },
  } as const;
  const read = (body: object) => readFields(fields, body as never);
  test.each([
    [
      { text: 5, count: '7', flag: 'true', ttl: '1h', names: 'a, b,', versions: '1,2', labels: { a: 1 } },
      { text: '5', count: 7, flag: true, ttl: 3600, names: ['a', 'b'], versions: [1, 2], labels: { a: '1' } },
    ],
    [
      { TEXT: 'x', flag: 0, names: ['a'], ttl: 90 },
      { flag: false, names: ['a'], ttl: 90 },
    ],
    [{ unknown: {} }, {}],
    [
      { text: null, count: null, flag: null, ttl: null, names: null, versions: null, labels: null },
      { text: '', count: 0, flag: false, names: [], versions: [] },
    ],
    [
      { count: '', flag: '', ttl: '', names: '', versions: '' },
      { count: 0, flag: false, ttl: 0, names: [], versions: [] },
    ],
    [{ labels: [{ a: '' }, { b: 'x' }] }, { labels: { a: '', b: 'x' } }],
  ])('%j is read as %j', (body, values) => {
    expect(read(body)).toEqual(values);
  });
  test.each([
    { count: 'x' },
    { count: 1.5 },
    { flag: 'maybe' },
    { ttl: 'soon' },
    { names: {} },
    { versions: ['x'] },
    { labels: 'x' },
    { labels: { a: {} } },
    { text: {} },
  ])('%j is refused', (body) => {
    const refusal = read(body);
    expect(refusal).toBeInstanceOf(FieldRefusal);
    expect((refusal as FieldRefusal).message).toContain(Object.keys(body)[0]);
  });
});

test('durations are read as Go writes them, and written as Go does', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e9, max: 1e9 }), (seconds) => {
      expect(parseDuration(formatDuration(seconds))).toBe(seconds === 0 ? 0 : seconds);
    }),
  );
  expect(parseDuration('1.5h')).toBe(5400);
  expect(parseDuration('2d')).toBe(172_800);
  for (const bad of ['x', '1', '1y', 'h', '--1s', '1h-2m'])
    expect(parseDuration(bad)).toBe(bad === '1' ? 1 : undefined);
});

test('JSON goes through unchanged, whatever its numbers', () => {
  fc.assert(
    fc.property(
      fc.bigInt(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.jsonValue(),
      (big, double, value) => {
        const text = `{"big":${big},"double":${JSON.stringify(double)},"value":${JSON.stringify(value)}}`;
        expect(JSON.stringify(parseJson(text))).toBe(
          JSON.stringify(JSON.parse(text)).replace(/"big":[^,]+/, `"big":${big}`),
        );
      },
    ),
  );
});
