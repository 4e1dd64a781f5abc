import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileAcl } from '../../../src/engine/policy/policy.ts';
import type { Capability, PathRule } from '../../../src/engine/policy/rule.ts';

/** The documented rules, one after the other, without a thought for speed: as a second opinion. */
function naive(rules: readonly PathRule[], path: string): string[] {
  const matching = rules.filter(({ path: pattern }) => toRegExp(pattern).test(path));
  const best = [...new Set(matching.map((rule) => rule.path))].sort((a, b) => compare(b, a))[0];
  const granted = new Set(
    matching.filter((rule) => rule.path === best).flatMap((rule) => [...rule.capabilities]),
  );
  if (granted.has('deny') || granted.size === 0) return ['deny'];
  return [...granted].sort();
}

function toRegExp(pattern: string): RegExp {
  const open = pattern.endsWith('*');
  const stem = open ? pattern.slice(0, -1) : pattern;
  const source = stem
    .split('/')
    .map((part) => (part === '+' ? '[^/]*' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
    .join('/');
  return new RegExp(`^${source}${open ? '.*' : ''}$`, 's');
}

/** "Policies", priority matching, as published: positive when a wins. */
function compare(a: string, b: string): number {
  const exact = (p: string): boolean => !p.endsWith('*') && !p.includes('+');
  if (exact(a) !== exact(b)) return exact(a) ? 1 : -1;
  const first = (p: string): number => p.search(/\+|\*$/);
  if (first(a) !== first(b)) return first(a) - first(b);
  if (a.endsWith('*') !== b.endsWith('*')) return a.endsWith('*') ? -1 : 1;
  const plus = (p: string): number => p.split('/').filter((s) => s === '+').length;
  if (plus(a) !== plus(b)) return plus(b) - plus(a);
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

const part = fc.constantFrom('a', 'b', 'ab', '+', '');
const pattern = fc
  .tuple(fc.array(part, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([parts, open]) => {
    const stem = parts.join('/');
    return stem.endsWith('+') || !open ? stem : `${stem}*`;
  });
const rule = fc.record({
  path: pattern,
  capabilities: fc
    .subarray<Capability>(['create', 'read', 'update', 'list', 'sudo', 'deny'])
    .map((list) => new Set(list)),
  allowedParameters: fc.constant(new Map()),
  deniedParameters: fc.constant(new Map()),
  requiredParameters: fc.constant([]),
  minWrappingTtl: fc.constant(0),
  maxWrappingTtl: fc.constant(0),
});
const request = fc
  .array(fc.constantFrom('a', 'b', 'ab', 'abc', ''), { minLength: 1, maxLength: 5 })
  .map((parts) => parts.join('/'));

test('the compiled ACL decides as the naive reading of the rules does', () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 8 }), request, (rules, requested) => {
      const path = requested.replace(/^\/+/, '');
      // Listing a path with a slash at its end has rules of its own, tested beside.
      fc.pre(!path.endsWith('/'));
      const acl = compileAcl([{ name: 'x', rules }]);
      const expected = naive(rules, path);
      expect(acl.capabilities(path)).toEqual(expected);
      expect(acl.allow({ path, operation: 'read' }).allowed).toBe(expected.includes('read'));
      expect(acl.allow({ path, operation: 'update' }).sudo).toBe(expected.includes('sudo'));
    }),
    { numRuns: 5000 },
  );
});
