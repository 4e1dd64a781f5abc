import { describe, expect, test } from 'vitest';
import { readMetadata } from '../../../../src/engine/auth/approle/metadata.ts';
import { stringValue } from '../../../../src/engine/auth/cert/certificate.ts';
import { isBlock, isSubset } from '../../../../src/lib/cidr.ts';
import { matchesGlob } from '../../../../src/lib/glob.ts';

test.each([
  ['*', '', true],
  ['a', 'a', true],
  ['a', 'ab', false],
  ['a*', 'ab', true],
  ['*b', 'ab', true],
  ['a*b*c', 'axxbyyc', true],
  ['a*b*c', 'acb', false],
  ['a*a', 'a', false],
  ['*a*', 'bab', true],
  ['', '', true],
  ['', 'a', false],
  ['**', 'x', true],
  ['a.c', 'abc', false],
])('the pattern %j fits %j: %s', (pattern, text, expected) => {
  expect(matchesGlob(pattern, text)).toBe(expected);
});

describe('blocks of addresses', () => {
  test.each([
    ['10.0.0.0/8', true],
    ['::/0', true],
    ['10.0.0.0', false],
    ['10.0.0.0/33', false],
    ['10.0.0.0/8/8', false],
    ['x/8', false],
  ])('%s is one: %s', (text, expected) => {
    expect(isBlock(text)).toBe(expected);
  });

  test.each([
    [['10.1.0.0/16'], ['10.0.0.0/8'], true],
    [['10.0.0.0/7'], ['10.0.0.0/8'], false],
    [['10.0.0.1'], ['10.0.0.0/8', '::/0'], true],
    [['::1'], ['10.0.0.0/8'], false],
    [['10.0.0.0/8'], [], true],
    [[], ['10.0.0.0/8'], true],
    [['0.0.0.0/0'], ['10.0.0.0/8'], false],
  ])('%j within %j: %s', (blocks, of, expected) => {
    expect(isSubset(blocks, of)).toBe(expected);
  });
});

test.each([
  ['', {}],
  ['{"a":"b"}', { a: 'b' }],
  ['a=b, c=d=e', { a: 'b', c: 'd=e' }],
  [btoa('{"a":"b"}'), { a: 'b' }],
  [btoa('a=b'), { a: 'b' }],
  ['{"a":1}', undefined],
  ['[1]', undefined],
  ['text', undefined],
])('metadata of %j', (text, expected) => {
  expect(readMetadata(text)).toEqual(expected);
});

test.each([
  ['0c026869', 'hi'],
  ['1603616263', 'abc'],
  ['0c8103616263', 'abc'],
  ['0c0368', ''],
  ['0500', ''],
  ['', ''],
])('the DER string %s is %j', (hex, expected) => {
  expect(stringValue(new Uint8Array(Buffer.from(hex, 'hex')))).toBe(expected);
});
