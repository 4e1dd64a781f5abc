import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  isSealed,
  type Lifecycle,
  type LifecycleEvent,
  transition,
} from '../../../../src/engine/core/lifecycle.ts';

const event: fc.Arbitrary<LifecycleEvent> = fc.oneof(
  fc.constantFrom<LifecycleEvent>(
    { type: 'initialized' },
    { type: 'unseal-started' },
    { type: 'sealed' },
    { type: 'stopped' },
    { type: 'unseal-failed' },
  ),
  fc.nat().map((at): LifecycleEvent => ({ type: 'unsealed', at })),
);

test('it becomes active only by an unseal that was begun after initialization', () => {
  fc.assert(
    fc.property(fc.array(event), (events) => {
      let state: Lifecycle = { state: 'uninitialized' };
      let initialized = false;
      for (const each of events) {
        const next = transition(state, each);
        if (each.type === 'initialized') initialized = true;
        if (next.state === 'active' && state.state !== 'active') {
          expect(initialized).toBe(true);
          expect(state.state).toBe('unsealing');
          expect(each.type).toBe('unsealed');
        }
        expect(isSealed(next)).toBe(next.state !== 'active');
        if (state.state === 'stopped') expect(next.state).toBe('stopped');
        state = next;
      }
    }),
  );
});

test('every failed attempt is counted', () => {
  const begun = transition({ state: 'sealed' }, { type: 'unseal-started' });
  expect(transition(begun, { type: 'unseal-failed' })).toEqual({ state: 'unsealing', attempt: 2 });
});
