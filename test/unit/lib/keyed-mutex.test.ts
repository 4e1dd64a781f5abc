import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeyedMutex } from '../../../src/lib/keyed-mutex.ts';

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('run has its key alone, share runs beside shares; both begin in their order, and failures hold nobody up', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          key: fc.constantFrom('a', 'b'),
          alone: fc.boolean(),
          fails: fc.boolean(),
          turns: fc.nat(3),
        }),
        { minLength: 1, maxLength: 20 },
      ),
      async (works) => {
        const mutex = new KeyedMutex();
        const running = new Map<string, { alone: number; shared: number }>();
        const begun: number[] = [];
        const outcomes = await Promise.allSettled(
          works.map(({ key, alone, fails, turns }, index) =>
            mutex[alone ? 'run' : 'share'](key, async () => {
              begun.push(index);
              const now = running.get(key) ?? { alone: 0, shared: 0 };
              running.set(key, now);
              now[alone ? 'alone' : 'shared'] += 1;
              expect(now.alone <= 1 && (now.alone === 0 || now.shared === 0)).toBe(true);
              for (let turn = 0; turn < turns; turn += 1) await soon();
              now[alone ? 'alone' : 'shared'] -= 1;
              if (fails) throw new Error('as wanted');
              return index;
            }),
          ),
        );
        expect(outcomes.map(({ status }) => status)).toEqual(
          works.map(({ fails }) => (fails ? 'rejected' : 'fulfilled')),
        );
        for (const key of ['a', 'b']) {
          const order = begun.filter((index) => works[index]?.key === key);
          expect(order).toEqual(order.toSorted((x, y) => x - y));
        }
      },
    ),
    { numRuns: 60 },
  );
});
