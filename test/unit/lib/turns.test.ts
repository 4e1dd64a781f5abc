import { expect, test } from 'vitest';
import { inTurns } from '../../../src/lib/turns.ts';

function busy(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test('results come in their order, and others have their turn in between', async () => {
  let turnsOfOthers = 0;
  const others = setInterval(() => (turnsOfOthers += 1), 1);
  const made = await inTurns(Array.from({ length: 60 }), (_item, index) => {
    busy(2);
    return index % 2 === 0 ? index : Promise.resolve(index);
  });
  clearInterval(others);
  expect(made).toEqual(Array.from({ length: 60 }, (_, index) => index));
  expect(turnsOfOthers).toBeGreaterThan(2);
});

test('a failure is told at the end, and not to nobody before', async () => {
  let done = 0;
  const work = inTurns([1, 2, 3, 4], (item) => {
    busy(15);
    done += 1;
    return item === 1 ? Promise.reject(new Error('the first')) : item;
  });
  await expect(work).rejects.toThrow('the first');
  expect(done).toBe(4);
});
