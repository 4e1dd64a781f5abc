import { expect, test } from 'vitest';
import { Cached } from '../../../src/lib/cached.ts';

test.each([
  ['forget', undefined],
  ['set', 'new'],
] as const)('what was read before a %s is not kept after it', async (change, kept) => {
  const cache = new Cached<string>(10);
  let answer: (value: string) => void = () => undefined;
  const reading = cache.get('a', () => new Promise<string>((resolve) => (answer = resolve)));
  if (change === 'set') cache.set('a', 'new');
  else cache.forget('a');
  answer('old');
  expect(await reading).toBe('old');
  expect(cache.peek('a')).toBe(kept);
});

test('what is read is kept, nothing is not, and a failed read may be tried again', async () => {
  const cache = new Cached<string>(10);
  await expect(cache.get('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await cache.get('a', () => Promise.resolve(undefined))).toBeUndefined();
  expect(await cache.get('a', () => Promise.resolve('x'))).toBe('x');
  expect(await cache.get('a', () => Promise.reject(new Error('no')))).toBe('x');
});
