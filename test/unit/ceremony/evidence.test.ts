import { describe, expect, test } from 'vitest';
import { canonicalJson, digestOf } from '../../../src/ceremony/canonical.ts';
import { appended, brokenLink, type EvidenceEntry, headOf } from '../../../src/ceremony/evidence.ts';

const manifest = digestOf({ plan: 'a' });
const event = (step: string): Pick<EvidenceEntry, 'time' | 'who' | 'step' | 'facts'> => ({
  time: '2026-01-01T00:00:00Z',
  who: 'ada',
  step,
  facts: { key: 'value' },
});
const log = ['planned', 'approved', 'committed'].reduce<readonly EvidenceEntry[]>(
  (sum, step) => appended(sum, manifest, event(step)),
  [],
);

describe('a log of evidence', () => {
  test('is whole as it was written', () => {
    expect(brokenLink(log, manifest)).toBeUndefined();
    expect(log.map(({ number }) => number)).toEqual([1, 2, 3]);
  });

  test.each([
    ['an entry left out', [log[0], log[2]]],
    ['another order', [log[1], log[0], log[2]]],
    ['a changed fact', [log[0], { ...log[1], facts: { key: 'other' } }, log[2]]],
    ['a changed time', [{ ...log[0], time: '2026-01-02T00:00:00Z' }, log[1], log[2]]],
    ['an entry twice', [log[0], log[0], log[1], log[2]]],
  ])('shows %s', (_what, changed) => {
    expect(brokenLink(changed as EvidenceEntry[], manifest)).toBeDefined();
  });

  test('belongs to its plan', () => {
    expect(brokenLink(log, digestOf({ plan: 'b' }))).toBeDefined();
  });

  test('cut short has another head', () => {
    expect(headOf(log.slice(0, 2), manifest)).not.toBe(headOf(log, manifest));
    expect(headOf([], manifest)).toBe(manifest);
  });
});

describe('the canonical form', () => {
  test('does not depend on the order of members', () => {
    expect(canonicalJson({ b: [1, { d: 'x', c: null }], a: true })).toBe(
      '{"a":true,"b":[1,{"c":null,"d":"x"}]}',
    );
  });

  test('sorts by UTF-16 code units, as RFC 8785 §3.2.3 shows', () => {
    const names = ['\u20ac', '\r', '\ufb33', '1', '\ud83d\ude00', '\u0080', '\u00f6'];
    const sorted = canonicalJson(Object.fromEntries(names.map((name) => [name, 0])));
    expect(Object.keys(JSON.parse(sorted))).toEqual([
      '1',
      '\r',
      '\u0080',
      '\u00f6',
      '\u20ac',
      '\ud83d\ude00',
      '\ufb33',
    ]);
  });

  test('has whole numbers only', () => {
    expect(() => canonicalJson({ a: 0.5 })).toThrow(TypeError);
  });
});
