import { describe, expect, test } from 'vitest';
import {
  findCondition,
  isTrue,
  setCondition,
  settleConditions,
  transitions,
} from '../../../../src/operator/runtime/conditions.ts';

const T1 = Date.UTC(2027, 0, 1, 12, 0, 0, 250);
const T2 = T1 + 60_000;
const ready = { type: 'Ready', status: 'True', reason: 'Unsealed', message: 'all is well' } as const;

describe('conditions', () => {
  test('a new condition comes last, with its time in whole seconds', () => {
    const list = setCondition(setCondition(undefined, ready, 1, T1), { ...ready, type: 'Later' }, 1, T1);
    expect(list.map(({ type }) => type)).toEqual(['Ready', 'Later']);
    expect(list[0]?.lastTransitionTime).toBe('2027-01-01T12:00:00Z');
  });

  test('the time changes with the status alone', () => {
    const before = setCondition(undefined, ready, 1, T1);
    const other = setCondition(before, { ...ready, reason: 'StillUnsealed', message: 'yes' }, 2, T2);
    expect(findCondition(other, 'Ready')).toEqual({
      ...ready,
      reason: 'StillUnsealed',
      message: 'yes',
      observedGeneration: 2,
      lastTransitionTime: '2027-01-01T12:00:00Z',
    });
    const down = setCondition(other, { ...ready, status: 'False' }, 2, T2);
    expect(findCondition(down, 'Ready')?.lastTransitionTime).toBe('2027-01-01T12:01:00Z');
    expect(isTrue(other, 'Ready')).toBe(true);
    expect(isTrue(down, 'Ready')).toBe(false);
  });

  test('nothing given is changed', () => {
    const before = Object.freeze([...setCondition(undefined, ready, 1, T1)]);
    setCondition(before, { ...ready, status: 'False' }, 2, T2);
    expect(before[0]?.status).toBe('True');
  });

  test('a change of status or reason is a transition, one of words is not', () => {
    const before = settleConditions([ready], undefined, 1, T1);
    expect(transitions(settleConditions([{ ...ready, message: 'else' }], before, 1, T2), before)).toEqual([]);
    expect(
      transitions(settleConditions([{ ...ready, reason: 'Other' }], before, 1, T2), before),
    ).toHaveLength(1);
  });
});
