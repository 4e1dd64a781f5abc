import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readTarget } from '../../../../src/engine/http/target.ts';

test.each([
  ['/v1/secret/data//real', '/v1/secret/data/real'],
  ['/v1/secret/./data/real', '/v1/secret/data/real'],
  ['/v1/secret/data/real/.', '/v1/secret/data/real'],
  ['//v1/secret/data/real', '/v1/secret/data/real'],
  ['//v1//secret///data/?list=true&a=b//c', '/v1/secret/data/?list=true&a=b//c'],
  ['/v1/a//%2F%2e', '/v1/a/%2F%2e'],
  ['http://vault.example:8200//v1/a?', '/v1/a?'],
  ['/ui//ceremony/', '/ui/ceremony/'],
])('%s is redirected to %s', (url, location) => {
  expect(readTarget(url)).toEqual({ kind: 'redirect', location });
});

test.each([
  ['/v1/secret/data/real', '/v1/secret/data/real', undefined],
  ['/v1/secret/data/a%2F%2Fb?x=//y', '/v1/secret/data/a%2F%2Fb', 'x=//y'],
  ['/v1/.hidden/a..b', '/v1/.hidden/a..b', undefined],
  ['https://other.example/v1/sys/health', '/v1/sys/health', undefined],
  ['http://other.example', '/', undefined],
  ['http://other.example?x', '/', 'x'],
  // What is refused where it is decoded is no reason for a redirect.
  ['/v1/a/../b', '/v1/a/../b', undefined],
  ['//v1/../b', '//v1/../b', undefined],
  ['//evil.example/a', '//evil.example/a', undefined],
  ['//\\evil.example/a', '//\\evil.example/a', undefined],
  ['*', '*', undefined],
])('%s is served as it is', (url, path, query) => {
  expect(readTarget(url)).toEqual({ kind: 'path', path, query });
});

test('a redirect leads to a clean path of this server, and only there', () => {
  const part = fc.constantFrom(
    '',
    '.',
    '..',
    'v1',
    'ui',
    'a',
    '%2e',
    '\\',
    'evil.example',
    '?',
    '#',
    'http:',
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const target = readTarget(`/${parts.join('/')}`);
      if (target.kind !== 'redirect') return;
      expect(target.location).toMatch(/^\/(?:v1|ui)\//);
      expect(readTarget(target.location).kind).toBe('path');
    }),
  );
});
