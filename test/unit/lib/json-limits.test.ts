import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/lib/bytes.ts';
import { type JsonLimits, scanJson } from '../../../src/lib/json-limits.ts';

const limits: JsonLimits = {
  maxDepth: 4,
  maxStringValueLength: 10,
  maxObjectEntryCount: 3,
  maxArrayElementCount: 5,
  maxTokens: 60,
};
const none: JsonLimits = {
  maxDepth: 1e9,
  maxStringValueLength: 1e9,
  maxObjectEntryCount: 1e9,
  maxArrayElementCount: 1e9,
  maxTokens: 1e9,
};
const refusal = (text: string, held: JsonLimits = limits): string | undefined =>
  scanJson(utf8(text), held).refused;

describe('a text at a limit passes, and one beyond it is refused by the limit', () => {
  test.each([
    ['[[[[]]]]', '[[[[[]]]]]', 'JSON input exceeds allowed nesting depth'],
    ['{"a":"0123456789"}', '{"a":"01234567890"}', 'JSON string value exceeds allowed length'],
    ['{"0123456789":1}', '{"01234567890":1}', 'JSON string value exceeds allowed length'],
    ['["\\"\\"\\"\\"\\""]', '["\\"\\"\\"\\"\\"\\""]', 'JSON string value exceeds allowed length'],
    ['[1234567890]', '[12345678901]', 'JSON number value exceeds allowed length'],
    ['{"a":1,"b":2,"c":3}', '{"a":1,"b":2,"c":3,"d":4}', 'JSON object exceeds allowed entry count'],
    ['[1,2,3,4,5]', '[1,2,3,4,5,6]', 'JSON array exceeds allowed element count'],
    ['[[1,2,3,4],1,2]', '[[1,2,3,4],[],1,2,{},3]', 'JSON array exceeds allowed element count'],
    [
      `[${Array(5).fill('[1,1,1,1]').join(',')}]`,
      `[${Array(5).fill('[1,1,1,1,1]').join(',')}]`,
      'JSON payload exceeds allowed token count',
    ],
  ])('%s', (at, beyond, message) => {
    expect(refusal(at)).toBeUndefined();
    expect(refusal(beyond)).toBe(message);
  });
});

test('what is inside of a text counts for nothing, however it is escaped', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const whole = JSON.stringify({ a: [text, text], [text]: { b: text } });
      expect(refusal(whole, { ...none, maxDepth: 2, maxObjectEntryCount: 2, maxArrayElementCount: 2 })).toBe(
        undefined,
      );
    }),
  );
});

test('of every value it finds the depth and the most members, as a parser would', () => {
  const depthOf = (value: unknown): number =>
    typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;
  const widestOf = (value: unknown): number =>
    typeof value === 'object' && value !== null
      ? Math.max(Object.keys(value).length, ...Object.values(value).map(widestOf))
      : 0;
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.boolean(), (value, spaced) => {
      const text = JSON.stringify(value, null, spaced ? 2 : 0);
      const depth = depthOf(value);
      const most = Math.max(1, widestOf(value));
      expect(refusal(text, { ...none, maxDepth: depth })).toBeUndefined();
      expect(
        refusal(text, { ...none, maxObjectEntryCount: most, maxArrayElementCount: most }),
      ).toBeUndefined();
      if (depth > 0) expect(refusal(text, { ...none, maxDepth: depth - 1 })).toContain('depth');
      if (widestOf(value) > 1)
        expect(
          refusal(text, { ...none, maxObjectEntryCount: most - 1, maxArrayElementCount: most - 1 }),
        ).toContain('count');
    }),
  );
});

test('any bytes end, refused or not', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      scanJson(bytes, limits);
    }),
  );
});

test.each([
  ['[1,2.5,-3,true,null]', false],
  ['["12345678901234567890","1e5"]', false],
  ['[12345678901234567890]', true],
  ['[1e5]', true],
  ['[1E5]', true],
])('%s may hold numbers beyond a double: %s', (text, exact) => {
  expect(scanJson(utf8(text), none)).toMatchObject({ refused: undefined, exact });
});
