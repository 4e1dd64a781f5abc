import { describe, expect, test } from 'vitest';
import { defaultPolicy } from '../../../src/engine/policy/default-policy.ts';
import { type AclRequest, compileAcl, parsePolicy } from '../../../src/engine/policy/policy.ts';
import type { JsonObject } from '../../../src/lib/json.ts';

const acl = (...texts: string[]): ReturnType<typeof compileAcl> =>
  compileAcl(texts.map((text) => parsePolicy(text)));
const rule = (path: string, ...capabilities: string[]): string =>
  `path ${JSON.stringify(path)} { capabilities = ${JSON.stringify(capabilities)} }`;
const allowed = (text: string, request: AclRequest): boolean => acl(text).allow(request).allowed;

describe('parsing a policy', () => {
  test('HCL and JSON give the same rules', () => {
    const hcl = `name = "both"
      path "/secret/*" {
        capabilities = ["create", "update"]
        allowed_parameters = { "Name" = ["a*", 1, true], "*" = [] }
        denied_parameters { bad = [] }
        required_parameters = ["Name"]
        min_wrapping_ttl = "1m30s"
        max_wrapping_ttl = 600
      }
      path "x" { policy = "write" }`;
    const json = JSON.stringify({
      name: 'both',
      path: {
        '/secret/*': {
          capabilities: ['create', 'update'],
          allowed_parameters: { Name: ['a*', 1, true], '*': [] },
          denied_parameters: { bad: [] },
          required_parameters: ['Name'],
          min_wrapping_ttl: '1m30s',
          max_wrapping_ttl: 600,
        },
        x: { policy: 'write' },
      },
    });
    const parsed = parsePolicy(hcl);
    expect(parsePolicy(json)).toEqual(parsed);
    expect(parsed).toEqual({
      name: 'both',
      rules: [
        {
          path: 'secret/*',
          capabilities: new Set(['create', 'update']),
          allowedParameters: new Map([
            ['name', ['a*', 1, true]],
            ['*', []],
          ]),
          deniedParameters: new Map([['bad', []]]),
          requiredParameters: ['name'],
          minWrappingTtl: 90,
          maxWrappingTtl: 600,
        },
        expect.objectContaining({ capabilities: new Set(['create', 'read', 'update', 'delete', 'list']) }),
      ],
    });
  });

  test.each([
    ['path "x" { capabilities = ["y"] }', 'path "x": invalid capability "y"'],
    ['path "x" { capabilities = ["root"] }', 'path "x": invalid capability "root"'],
    ['path "x" { policy = "all" }', 'path "x": invalid policy "all"'],
    ['path "x" { capabilties = [] }', 'path "x": invalid key "capabilties" on line 1'],
    ['\nrule "x" {}', 'invalid key "rule" on line 2'],
    ['path "a/+*" {}', `path "a/+*": invalid use of wildcards ('+*' is forbidden)`],
    [
      'path "x" { min_wrapping_ttl = "2m" max_wrapping_ttl = "1m" }',
      'path "x": max_wrapping_ttl cannot be less than min_wrapping_ttl',
    ],
    ['path "x" { min_wrapping_ttl = "soon" }', 'path "x": error parsing min_wrapping_ttl'],
    ['path "x" { capabilities = "read" }', 'path "x": capabilities must be a list of strings'],
    [
      'path "x" { allowed_parameters = { a = 1 } }',
      'path "x": allowed_parameters must map each parameter to a list of values',
    ],
    ['path "x" {', 'At 1:11: a key expected'],
    ['path = "x"', 'path must be a block'],
  ])('%j is refused with Vault’s words', (text, message) => {
    expect(() => parsePolicy(text)).toThrow(
      expect.objectContaining({ name: 'PolicySyntaxError', message: `failed to parse policy: ${message}` }),
    );
  });

  test('an empty policy grants nothing', () => {
    expect(acl('').capabilities('a')).toEqual(['deny']);
    expect(acl(rule('a')).capabilities('a')).toEqual(['deny']);
  });
});

describe('an ACL', () => {
  test.each<[string, string, AclRequest['operation'], boolean]>([
    [rule('a/b', 'read'), 'a/b', 'read', true],
    [rule('a/b', 'read'), '/a/b', 'read', true],
    [rule('a/b', 'read'), 'a/bc', 'read', false],
    [rule('a/b', 'read'), 'a/b', 'update', false],
    [rule('a/*', 'read'), 'a/', 'read', true],
    [rule('a/*', 'read'), 'a', 'read', false],
    [rule('a*', 'read'), 'abc/d', 'read', true],
    [rule('*', 'read'), 'x/y', 'read', true],
    [rule('a/+/c', 'read'), 'a/b/c', 'read', true],
    [rule('a/+/c', 'read'), 'a/b/x/c', 'read', false],
    [rule('a/+/c', 'read'), 'a//c', 'read', true],
    [rule('a/+/c*', 'read'), 'a/b/cde/f', 'read', true],
    [rule('+/b', 'read'), 'a/b', 'read', true],
    [rule('+', 'read'), 'a', 'read', true],
    [rule('+', 'read'), 'a/b', 'read', false],
    [rule('a/b+', 'read'), 'a/b+', 'read', true],
    [rule('a/b', 'list'), 'a/b/', 'list', true],
    [rule('a/b', 'read'), 'a/b/', 'read', false],
    [rule('a/+', 'list'), 'a/b/', 'list', true],
    [rule('a/', 'list'), 'a', 'list', false],
    [rule('a', 'update'), 'a', 'renew', true],
    [rule('a', 'update'), 'a', 'revoke', true],
    [rule('a'), 'a', 'help', true],
    [rule('a', 'create'), 'a', 'update', false],
    [rule('a', 'update'), 'a', 'patch', false],
  ])('%s on %s %s: %s', (text, path, operation, expected) => {
    expect(allowed(text, { path, operation })).toBe(expected);
  });

  test.each<[string, string, string, string]>([
    ['exact before glob', rule('a/b', 'read'), rule('a/*', 'update'), 'a/b'],
    ['longer glob before shorter', rule('a/b*', 'read'), rule('a/*', 'update'), 'a/bc'],
    ['later first wildcard', rule('a/b/+', 'read'), rule('a/+/c', 'update'), 'a/b/c'],
    ['later first wildcard, glob against plus', rule('a/b/*', 'read'), rule('a/+/c', 'update'), 'a/b/c'],
    ['no glob before glob', rule('a/+/c', 'read'), rule('a/+/*', 'update'), 'a/b/c'],
    ['fewer plus', rule('a/+/c/d', 'read'), rule('a/+/+/d', 'update'), 'a/b/c/d'],
    ['longer', rule('a/+/cc*', 'read'), rule('a/+/c*', 'update'), 'a/b/ccc'],
  ])('%s', (_, winner, loser, path) => {
    for (const texts of [
      [winner, loser],
      [loser, winner],
    ])
      expect(acl(...texts).capabilities(path)).toEqual(['read']);
  });

  test('rules of one path add up, and deny beats them', () => {
    expect(acl(rule('a', 'read'), rule('a', 'update', 'sudo')).capabilities('a')).toEqual([
      'read',
      'sudo',
      'update',
    ]);
    expect(acl(rule('a', 'read'), rule('a', 'deny', 'update')).capabilities('a')).toEqual(['deny']);
    expect(acl(rule('a', 'deny'), rule('a', 'read')).allow({ path: 'a', operation: 'read' })).toMatchObject({
      allowed: false,
    });
    expect(acl(rule('a/*', 'read'), rule('a/b', 'deny')).capabilities('a/b')).toEqual(['deny']);
    expect(acl(rule('a/b', 'read'), rule('*', 'deny')).capabilities('a/b')).toEqual(['read']);
  });

  test('a deny below a path is not evaded by listing it', () => {
    const policy = acl(rule('kv/+', 'list'), rule('kv/private/*', 'deny'));
    expect(policy.allow({ path: 'kv/private/', operation: 'list' }).allowed).toBe(false);
    expect(policy.allow({ path: 'kv/public/', operation: 'list' }).allowed).toBe(true);
    const other = acl(rule('kv/*', 'list'), rule('kv/private', 'deny'));
    expect(other.allow({ path: 'kv/private/', operation: 'list' }).allowed).toBe(false);
  });

  test('sudo is told beside the verdict', () => {
    const policy = acl(rule('a', 'read', 'sudo'));
    expect(policy.allow({ path: 'a', operation: 'read' })).toEqual({ allowed: true, sudo: true });
    expect(policy.allow({ path: 'a', operation: 'update' })).toEqual({
      allowed: false,
      sudo: true,
      reason: 'capability',
    });
    expect(policy.allow({ path: 'b', operation: 'read' })).toEqual({
      allowed: false,
      sudo: false,
      reason: 'no rule',
    });
  });

  test('root may do everything', () => {
    const root = compileAcl([{ name: 'root', rules: [] }]);
    expect(root.allow({ path: 'x', operation: 'delete' })).toEqual({ allowed: true, sudo: true });
    expect(root.capabilities('x')).toEqual(['root']);
    expect(root.hasAccessBelow('x/')).toBe(true);
  });

  test('a template grants nothing until it is resolved', () => {
    const policy = [parsePolicy(rule('id/{{identity.entity.id}}', 'read'))];
    expect(compileAcl(policy).capabilities('id/{{identity.entity.id}}')).toEqual(['deny']);
    const resolved = compileAcl(policy, {
      entity: { id: '42', name: '*', metadata: null, aliases: [] },
      groups: [],
    });
    expect(resolved.capabilities('id/42')).toEqual(['read']);
  });

  test.each([
    [rule('kv/a', 'read'), true],
    [rule('kv/*', 'read'), true],
    [rule('*', 'read'), true],
    [rule('k*', 'read'), true],
    [rule('+/a', 'read'), true],
    [rule('kv/+/x', 'read'), true],
    [rule('kv/a', 'deny'), false],
    [rule('kv/a'), false],
    [rule('kv', 'read'), false],
    [rule('kv2/a', 'read'), false],
    [rule('other/+', 'read'), false],
  ])('%s gives access below kv/: %s', (text, expected) => {
    expect(acl(text).hasAccessBelow('kv/')).toBe(expected);
  });
});

describe('parameters', () => {
  const params = (lines: string): string =>
    `path "p" { capabilities = ["create", "read", "update", "list"]\n ${lines} }`;
  const update = (lines: string, data: JsonObject, folded: readonly string[] = []): boolean =>
    allowed(params(lines), {
      path: 'p',
      operation: 'update',
      parameters: () => data,
      folded: new Set(folded),
    });

  test('allowed ones let nothing else through', () => {
    const lines = 'allowed_parameters = { a = [], b = ["x", "y*"], n = [1, true] }';
    expect(update(lines, { a: 'anything', b: 'x' })).toBe(true);
    expect(update(lines, { A: 1 })).toBe(true);
    expect(update(lines, { b: 'yes' })).toBe(true);
    expect(update(lines, { b: 'z' })).toBe(false);
    expect(update(lines, { n: 1 })).toBe(true);
    expect(update(lines, { n: 2 })).toBe(false);
    expect(update(lines, { c: 1 })).toBe(false);
    expect(update(lines, {})).toBe(true);
    expect(update('allowed_parameters = { b = ["x"], "*" = [] }', { c: 1, b: 'x' })).toBe(true);
    expect(update('allowed_parameters = { b = ["x"], "*" = [] }', { b: 'y' })).toBe(false);
  });

  test('denied ones are refused, by name or by value, also inside a list', () => {
    expect(update('denied_parameters = { a = [] }', { a: 1 })).toBe(false);
    expect(update('denied_parameters = { a = ["*bad*"] }', { a: 'so bad it is' })).toBe(false);
    expect(update('denied_parameters = { a = ["bad"] }', { a: ['good', 'bad'] })).toBe(false);
    expect(update('denied_parameters = { a = ["bad"] }', { a: 'good' })).toBe(true);
    expect(update('denied_parameters = { "*" = [] }', { x: 1 })).toBe(false);
    expect(update('denied_parameters = { "*" = [] }', {})).toBe(true);
    expect(
      update('denied_parameters = { policies = ["admin"] }', { policies: ['admin'] }, ['policies']),
    ).toBe(false);
  });

  test('required ones must be there', () => {
    expect(update('required_parameters = ["a"]', { a: 1 })).toBe(true);
    expect(update('required_parameters = ["a"]', { b: 1 })).toBe(false);
    expect(update('required_parameters = ["toString"]', {})).toBe(false);
    expect(allowed(params('required_parameters = ["a"]'), { path: 'p', operation: 'list' })).toBe(true);
  });

  test('of two rules for one path add up', () => {
    const two = acl(
      params('allowed_parameters = { a = ["x"] }'),
      params('allowed_parameters = { a = ["y"], b = [] }'),
    );
    for (const data of [{ a: 'x' }, { a: 'y' }, { b: 1 }])
      expect(two.allow({ path: 'p', operation: 'update', parameters: () => data }).allowed).toBe(true);
    expect(two.allow({ path: 'p', operation: 'update', parameters: () => ({ a: 'z' }) })).toMatchObject({
      allowed: false,
      reason: 'parameters',
    });
  });

  test('wrapping TTLs are kept to', () => {
    const policy = acl(params('min_wrapping_ttl = "1m" max_wrapping_ttl = "1h"'));
    const ask = (wrapTtl?: number): boolean =>
      policy.allow({ path: 'p', operation: 'read', ...(wrapTtl === undefined ? {} : { wrapTtl }) }).allowed;
    expect([ask(), ask(59), ask(60), ask(3600), ask(3601)]).toEqual([false, false, true, true, false]);
  });
});

test('the default policy parses and grants what a token needs for itself', () => {
  const policy = acl(defaultPolicy);
  expect(policy.capabilities('auth/token/lookup-self')).toEqual(['read']);
  expect(policy.capabilities('cubbyhole/x/y')).toEqual(['create', 'delete', 'list', 'read', 'update']);
  expect(policy.capabilities('sys/tools/hash/sha2-256')).toEqual(['update']);
  expect(policy.capabilities('identity/oidc/provider/x/authorize')).toEqual(['read', 'update']);
  expect(policy.capabilities('secret/x')).toEqual(['deny']);
  expect(policy.capabilities('sys/mounts')).toEqual(['deny']);
});
