import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contains, hashOf, same } from '../../../../src/operator/runtime/api/compare.ts';

const spec = {
  replicas: 3,
  template: { spec: { containers: [{ name: 'vault', image: 'a', args: ['x', 'y'] }] } },
};

describe('compare', () => {
  test('defaults and additions of others are no difference', () => {
    const live = {
      replicas: 3,
      revisionHistoryLimit: 10,
      template: {
        spec: {
          containers: [
            { name: 'injected', image: 'b' },
            { name: 'vault', image: 'a', args: ['x', 'y'], terminationMessagePath: '/dev/termination-log' },
          ],
        },
      },
    };
    expect(contains(live, spec)).toBe(true);
  });

  test.each([
    ['another value', { ...spec, replicas: 2 }],
    ['a missing field', { template: spec.template }],
    [
      'another argument',
      { ...spec, template: { spec: { containers: [{ name: 'vault', image: 'a', args: ['x'] }] } } },
    ],
    ['a missing container', { ...spec, template: { spec: { containers: [] } } }],
  ])('%s is one', (_title, live) => {
    expect(contains(live, spec)).toBe(false);
  });

  test('an empty value that the API server drops is there', () => {
    expect(contains({}, { hostNetwork: false, labels: {}, args: [] })).toBe(true);
    expect(contains({}, { emptyDir: { medium: 'Memory' } })).toBe(false);
  });

  test('statuses are compared in full', () => {
    expect(same({ sealed: false }, {})).toBe(false);
    expect(same({ sealed: false, a: undefined }, { sealed: false })).toBe(true);
    expect(same({ list: [1, 2] }, { list: [2, 1] })).toBe(false);
  });

  test('a value contains and equals itself', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const copy: unknown = structuredClone(value);
        expect(contains(copy, value)).toBe(true);
        expect(same(copy, value)).toBe(true);
        expect(hashOf(copy)).toBe(hashOf(value));
      }),
    );
  });

  test('a field that is no longer wanted changes the hash', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (value, name) => {
        const more = { ...value, [name]: 'wanted' };
        const less = Object.fromEntries(Object.entries(more).filter(([key]) => key !== name));
        expect(hashOf(less)).not.toBe(hashOf(more));
      }),
    );
  });

  test('the order of fields is no matter', () => {
    expect(hashOf({ a: 1, b: { c: 2, d: 3 } })).toBe(hashOf({ b: { d: 3, c: 2 }, a: 1 }));
  });
});
