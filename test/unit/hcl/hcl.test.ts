import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { attribute, blocks, names, parseHcl, scalarText, textList } from '../../../src/lib/hcl/hcl.ts';
import { type HclBody, HclSyntaxError, type HclValue } from '../../../src/lib/hcl/tree.ts';

/** A tree as plain values, without lines: [[keys, value], …]. */
function plain(body: HclBody): unknown {
  return body.items.map(({ keys, value }) => [...keys, plainValue(value)]);
}
function plainValue(value: HclValue): unknown {
  if (value.kind === 'object') return { object: plain(value.body) };
  if (value.kind === 'list') return value.items.map(plainValue);
  if (value.kind === 'number') return value.value;
  if (value.kind === 'string') return value.text;
  return value.kind === 'bool' ? value.value : null;
}
const value = (text: string): unknown => {
  const item = attribute(parseHcl(`x = ${text}`), 'x');
  return item && plainValue(item.value);
};

const CONFIG = `
# a comment
ui = true // another
/* and
   one more */
storage "lmdb" { path = "/data" }
listener "tcp" {
  address     = "0.0.0.0:8200"
  tls_disable = "true"
}
listener "tcp" {
  address = "127.0.0.1:8300", tls_disable = 1
}
seal "pkcs11" {
  slot = 2305843009213693953
}
max_lease_ttl = "768h"
tags = ["a", "b",]
nested = { deep = { er = [] } }
`;

const JSON_CONFIG = `{
  "ui": true,
  "storage": {"lmdb": {"path": "/data"}},
  "listener": [
    {"tcp": {"address": "0.0.0.0:8200", "tls_disable": "true"}},
    {"tcp": {"address": "127.0.0.1:8300", "tls_disable": 1}}
  ],
  "seal": {"pkcs11": {"slot": 2305843009213693953}},
  "max_lease_ttl": "768h",
  "tags": ["a", "b"]
}`;

describe('hcl', () => {
  test('a configuration file reads as blocks and attributes with their lines', () => {
    const body = parseHcl(CONFIG);
    expect(names(body)).toEqual(['ui', 'storage', 'listener', 'seal', 'max_lease_ttl', 'tags', 'nested']);
    expect(blocks(body, 'listener').map(({ labels, line }) => [labels, line])).toEqual([
      [['tcp'], 7],
      [['tcp'], 11],
    ]);
    expect(plain(body)).toEqual([
      ['ui', true],
      ['storage', 'lmdb', { object: [['path', '/data']] }],
      [
        'listener',
        'tcp',
        {
          object: [
            ['address', '0.0.0.0:8200'],
            ['tls_disable', 'true'],
          ],
        },
      ],
      [
        'listener',
        'tcp',
        {
          object: [
            ['address', '127.0.0.1:8300'],
            ['tls_disable', 1],
          ],
        },
      ],
      ['seal', 'pkcs11', { object: [['slot', 2305843009213694000]] }],
      ['max_lease_ttl', '768h'],
      ['tags', ['a', 'b']],
      ['nested', { object: [['deep', { object: [['er', []]] }]] }],
    ]);
  });

  test('the JSON form gives the same tree', () => {
    const native = CONFIG.replace(/^nested.*$/m, '');
    expect(plain(parseHcl(JSON_CONFIG))).toEqual(plain(parseHcl(native)));
    expect(blocks(parseHcl(JSON_CONFIG), 'listener').map(({ line }) => line)).toEqual([5, 6]);
  });

  test('a number keeps its text', () => {
    for (const text of [CONFIG, JSON_CONFIG]) {
      const seal = blocks(parseHcl(text), 'seal')[0];
      const slot = seal && attribute(seal.body, 'slot');
      expect(slot && scalarText(slot.value)).toBe('2305843009213693953');
    }
  });

  test.each([
    ['1', 1],
    ['-7', -7],
    ['0x1F', 31],
    ['-0x10', -16],
    ['010', 8],
    ['1.5', 1.5],
    ['1e3', 1000],
    ['-2.5E-1', -0.25],
    ['true', true],
    ['"plain"', 'plain'],
    ['"a\\"b\\\\c\\n\\t"', 'a"b\\c\n\t'],
    ['"\\u00e9\\U0001F511\\x41\\101"', 'é🔑AA'],
    ['"${file("x")} y"', '${file("x")} y'],
    ['"ключ"', 'ключ'],
    ['<<EOF\none\n  two\nEOF\n', 'one\n  two\n'],
    ['<<-EOF\n    one\n      two\n    EOF\n', 'one\n  two\n'],
    ['<<-EOF\n  one\n      two\n    EOF\n', '  one\n      two\n'],
    ['<<EOF\nEOF', ''],
    ['[1, [2, {a = 3}], <<E\nx\nE\n, "y"]', [1, [2, { object: [['a', 3]] }], 'x\n', 'y']],
  ])('the value %j', (text, expected) => {
    expect(value(text)).toEqual(expected);
  });

  test.each([
    ['', []],
    ['\ufeffa = 1', [['a', 1]]],
    [
      'a = 1\r\nb = 2\r\n',
      [
        ['a', 1],
        ['b', 2],
      ],
    ],
    [
      'path "secret/*" { capabilities = ["read"] }',
      [['path', 'secret/*', { object: [['capabilities', ['read']]] }]],
    ],
    ['"a" "b" {}', [['a', 'b', { object: [] }]]],
    ['a.b-c_d = 1', [['a.b-c_d', 1]]],
    ['__proto__ = 1', [['__proto__', 1]]],
    ['{"__proto__": {"constructor": 1}}', [['__proto__', { object: [['constructor', 1]] }]]],
    [
      '{"a": null, "b": "\\u00e9\\/", "c": -1.5e2, "a": 2}',
      [
        ['a', null],
        ['b', 'é/'],
        ['c', -150],
        ['a', 2],
      ],
    ],
    [
      '{"path": {"a/*": {"capabilities": ["read"]}, "b": {}}}',
      [
        ['path', 'a/*', { object: [['capabilities', ['read']]] }],
        ['path', 'b', { object: [] }],
      ],
    ],
  ])('the text %j', (text, expected) => {
    expect(plain(parseHcl(text))).toEqual(expected);
  });

  test.each([
    ['a = ', '1:5'],
    ['a =\n  hunter2', '2:3'],
    ['a = "hunter2', '1:5'],
    ['a = "hunter2\n"', '1:5'],
    ['a = "hunter2\\q"', '1:13'],
    ['a = "hunter2\\u12"', '1:13'],
    ['a = <<EOF\nhunter2', '1:5'],
    ['a = << EOF\nx\nEOF', '1:5'],
    ['pin "x" = "hunter2"', '1:9'],
    ['a = [1 2]', '1:8'],
    ['a {', '1:4'],
    ['a }', '1:3'],
    ['= 1', '1:1'],
    ['a = 09', '1:5'],
    ['/* hunter2', '1:1'],
    ['a = 1 ^', '1:7'],
    ['5 = 1', '1:1'],
    ['{"a": hunter2}', '1:7'],
    ['{"a": "hunter2}', '1:7'],
    ['{"a": "hunter2\\q"}', '1:7'],
    ['{"a" "hunter2"}', '1:6'],
    ['{"a": 1} hunter2', '1:10'],
    ['{"a": 1,}', '1:9'],
    ['{"a": 01}', '1:8'],
    ['{a: 1}', '1:2'],
    [`a = ${'['.repeat(100)}`, '1:69'],
    [`{"a": ${'['.repeat(100)}}`, '1:70'],
  ])('%j is refused at %s, without a word of the text', (text, position) => {
    const error: unknown = (() => {
      try {
        return parseHcl(text);
      } catch (caught) {
        return caught;
      }
    })();
    expect(error).toBeInstanceOf(HclSyntaxError);
    expect(error).toMatchObject({ code: 'ERR_HCL_SYNTAX' });
    expect(String(error)).toContain(`At ${position}: `);
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain('hunter2');
    expect(error instanceof Error && error.cause).toBeUndefined();
  });

  test('whatever the text, nothing but a syntax error is thrown', () => {
    const word = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      '=',
      ',',
      ':',
      '\n',
      '\\',
      '${',
      '<<E',
      '<<-E',
      'E',
      '#',
      '/*',
      '*/',
      '0x',
      '-',
      '1',
      'e',
      ' ',
      'a',
      '"k"',
      'true',
      '\u{1F511}',
      '\ud800',
      '//',
    );
    const soup = fc.array(fc.oneof({ weight: 5, arbitrary: word }, fc.string({ unit: 'binary' })), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(fc.constantFrom('', '{'), soup, (start, parts) => {
        try {
          parseHcl(start + parts.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(HclSyntaxError);
        }
      }),
      { numRuns: 4000 },
    );
  });

  test.each([
    ['strings', `a = "${'x'.repeat(2_000_000)}"`],
    ['unclosed strings', `{"a": "${'x\\"'.repeat(700_000)}`],
    ['blanks and comments', ' #\n'.repeat(700_000)],
    ['items', 'a = 1\n'.repeat(200_000)],
    ['members', `{${'"a": {"b": {}},\n'.repeat(80_000)}"z": 1}`],
    ['interpolations', `a = "${'${'.repeat(500_000)}"`],
    ['heredoc lines', `a = <<E\n${'E x\n'.repeat(300_000)}E\n`],
  ])('two megabytes of %s take no more than linear time', (_, text) => {
    const start = performance.now();
    try {
      parseHcl(text);
    } catch (error) {
      expect(error).toBeInstanceOf(HclSyntaxError);
    }
    expect(performance.now() - start).toBeLessThan(5000);
  });

  test('JSON of any depth-limited value reads as JSON.parse reads it', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string(),
          fc.oneof(
            fc.string(),
            fc.double({ noNaN: true, noDefaultInfinity: true }),
            fc.boolean(),
            fc.array(fc.string()),
          ),
        ),
        (object) => {
          const body = parseHcl(JSON.stringify(object));
          expect(body.items.map(({ keys, value: v }) => [keys[0], plainValue(v)])).toEqual(
            Object.entries(object).map(([key, v]) => [key, Object.is(v, -0) ? 0 : v]),
          );
        },
      ),
    );
  });

  test('a single scalar counts as a list of one', () => {
    const body = parseHcl('a = ["x", 1, true]\nb = "y"\nc = [{}]');
    expect(body.items.map((item) => textList(item.value))).toEqual([['x', '1', 'true'], ['y'], undefined]);
  });
});
