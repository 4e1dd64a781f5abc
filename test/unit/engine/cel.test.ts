import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CelProgram, CelRefusal } from '../../../src/lib/cel/cel.ts';
import { CelMessage, CelTime, type CelValue, fromJson } from '../../../src/lib/cel/values.ts';

const TYPES = { 'pb.Auth': ['policies', 'alias'], 'logical.Alias': ['name'] };
const claims = fromJson({
  sub: 'ann@example.org',
  n: 3,
  groups: ['a', 'b'],
  deep: { 'k-1': [1, 2] },
  none: null,
  yes: true,
});
const scope = new Map<string, CelValue>([
  ['claims', claims],
  ['now', new CelTime(1_700_000_000_000)],
]);

function run(text: string): CelValue | CelRefusal {
  const program = CelProgram.compile(text, ['claims', 'now'], TYPES);
  return program instanceof CelRefusal ? program : program.run(scope);
}

describe('expressions', () => {
  test.each<[string, unknown]>([
    ['1 + 2 * 3', 7n],
    ['(1 + 2) * -3', -9n],
    ['7 / 2', 3n],
    ['-7 % 2', -1n],
    ['7.0 / 2.0', 3.5],
    ['0x10', 16n],
    ['1e2', 100],
    ['"a" + \'b\'', 'ab'],
    [String.raw`"\n\x41\u00e9\101"`, '\nAéA'],
    [String.raw`r"\n"`, String.raw`\n`],
    ['"""a\n"b"""', 'a\n"b'],
    ['1 == 1.0', true],
    ['1 == "1"', false],
    ['[1, 2] == [1, 2.0]', true],
    ['{"a": 1} == {"a": 1}', true],
    ['1 < 2.5 && "a" < "b"', true],
    ['!true || 2 >= 2', true],
    ['true ? 1 : 2', 1n],
    ['false ? 1 : true ? 2 : 3', 2n],
    ['2 in [1, 2]', true],
    ['"a" in {"a": 1}', true],
    ['claims.sub', 'ann@example.org'],
    ['claims["sub"].endsWith("@example.org")', true],
    ['claims.n == 3 && claims.n > 2', true],
    ['claims.deep["k-1"][1] == 2', true],
    ['has(claims.sub) && !has(claims.other)', true],
    ['has(claims.deep.other)', false],
    ['claims.none == null', true],
    ['claims.groups.map(g, "x-" + g)', ['x-a', 'x-b']],
    ['claims.groups.map(g, g != "a", "x-" + g)', ['x-b']],
    ['claims.groups.filter(g, g == "a")', ['a']],
    ['claims.groups.exists(g, g == "b")', true],
    ['claims.groups.all(g, g == "b")', false],
    ['claims.groups.exists_one(g, g == "b")', true],
    ['size(claims.groups) + claims.sub.size()', 17n],
    ['claims.sub.contains("ann") && claims.sub.startsWith("a")', true],
    ['claims.sub.matches("^[a-z]+@example[.]org$")', true],
    ['matches("abc", "b")', true],
    ['string(1) + string(true) + string(1.5)', '1true1.5'],
    ['int("42") + int(2.9)', 44n],
    ['double("1.5")', 1.5],
    ['"a,b".split(",")', ['a', 'b']],
    ['["a","b"].join("-").upperAscii()', 'A-B'],
    ['"abcd".substring(1, 3)', 'bc'],
    ['"a.b.c".replace(".", "")', 'abc'],
    ['now > timestamp("2020-01-01T00:00:00Z")', true],
    ['now - duration("1h") < now', true],
    ['int(now)', 1_700_000_000n],
    ['true || claims.other', true],
    ['claims.other || true', true],
    ['false && claims.other', false],
    ['claims.groups.exists(g, g == "b" || claims.other == g)', true],
    ['// all\n1 // one', 1n],
    ['[1, 2,]', [1n, 2n]],
  ])('%s', (text, expected) => {
    expect(run(text)).toEqual(expected);
  });

  test('a message has its type and fields', () => {
    const made = run('pb.Auth{policies: claims.groups, alias: logical.Alias{name: claims.sub}}');
    if (!(made instanceof CelMessage)) throw new Error('no message');
    expect(made.type).toBe('pb.Auth');
    expect(made.fields.get('policies')).toEqual(['a', 'b']);
    expect((made.fields.get('alias') as CelMessage).fields.get('name')).toBe('ann@example.org');
  });

  test.each([
    ['', 'ends too early'],
    ['1 +', 'ends too early'],
    ['1 1', 'syntax error at character 3'],
    ['"a', 'syntax error at character 1'],
    ['other', "undeclared reference to 'other'"],
    ['[1].map(x, y)', "undeclared reference to 'y'"],
    ['has(1)', 'invalid argument to has()'],
    ['pb.Other{}', "undeclared reference to 'pb.Other'"],
    ['pb.Auth{odd: 1}', "undefined field 'odd'"],
    ['claims.other', 'no such key: other'],
    ['claims.groups[5]', 'no such key'],
    ['1 + "a"', 'no such overload'],
    ['1 / 0', 'division by zero'],
    ['9223372036854775807 + 1', 'integer overflow'],
    ['1 ? 2 : 3', 'a bool is needed'],
    ['"a".matches("(")', 'the pattern cannot be read'],
    ['nothing(1)', 'no such overload: nothing'],
    ['claims.other && true', 'no such key'],
    [`${'('.repeat(500)}1${')'.repeat(500)}`, 'nested too deeply'],
    [`${'!'.repeat(500)}true`, 'nested too deeply'],
  ])('%s has no value', (text, message) => {
    const result = run(text);
    if (!(result instanceof CelRefusal)) throw new Error('has one');
    expect(result.message).toContain(message);
  });

  test('work without end is ended', () => {
    const many = `[${Array.from({ length: 120 }, (_, index) => index).join(',')}]`;
    const result = run(`${many}.all(a, ${many}.all(b, ${many}.all(c, a + b + c >= 0)))`);
    expect(result instanceof CelRefusal && result.message).toBe('the expression takes too long');
  });

  test('whatever the text is, it has a value or a reason', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        run(text);
      }),
    );
  });
});
