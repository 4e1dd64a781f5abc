import { describe, expect, test } from 'vitest';
import { augmentedKeyRandom, plainKeyRandom } from '../../../src/lib/key-random.ts';
import { type Random, systemRandom } from '../../../src/lib/random.ts';

const constant = (byte: number): Random => ({
  ...systemRandom,
  bytes: (length) => new Uint8Array(length).fill(byte),
});
const fetchOf = (byte: number) => (length: number) => Promise.resolve(new Uint8Array(length).fill(byte));
const made = async (system: number, second: number, length = 32): Promise<string> => {
  const random = augmentedKeyRandom(constant(system), fetchOf(second));
  await random.ready();
  return Buffer.from(random.bytes(length)).toString('hex');
};

describe('augmented randomness', () => {
  test('depends on both sources and on each alone', async () => {
    const outcomes = [await made(1, 1), await made(1, 2), await made(2, 1), await made(2, 2)];
    expect(new Set(outcomes).size).toBe(4);
    expect(await made(1, 1)).toBe(outcomes[0]);
  });

  test('has the length that was asked for, and draws again for every piece of a long one', async () => {
    let fetched = 0;
    const random = augmentedKeyRandom(systemRandom, (length) => {
      fetched += length;
      return Promise.resolve(systemRandom.bytes(length));
    });
    await random.ready();
    for (const length of [1, 31, 32, 33, 1024, 1025, 5000]) expect(random.bytes(length)).toHaveLength(length);
    expect(random.base62(28)).toMatch(/^[0-9A-Za-z]{28}$/);
    expect(fetched).toBeGreaterThanOrEqual(2048);
  });

  test('never goes on without its second source', async () => {
    let broken = false;
    const random = augmentedKeyRandom(systemRandom, (length) =>
      broken ? Promise.reject(new Error('gone')) : Promise.resolve(systemRandom.bytes(length)),
    );
    expect(() => random.bytes(32)).toThrow(expect.objectContaining({ code: 'ERR_ENTROPY' }));
    await random.ready();
    broken = true;
    // What was fetched before is still of the second source; then there is nothing more.
    let served = 0;
    const draw = (): void => {
      for (; served < 1000; served += 1) random.bytes(32);
    };
    expect(draw).toThrow(/no randomness/);
    expect(served).toBeGreaterThan(0);
    expect(served).toBeLessThan(200);
    await expect(random.ready()).rejects.toMatchObject({ code: 'ERR_ENTROPY' });
    await expect(random.external(8)).rejects.toMatchObject({ code: 'ERR_ENTROPY' });
    broken = false;
    await random.ready();
    expect(random.bytes(32)).toHaveLength(32);
  });

  test('is the system alone where there is no second source', async () => {
    const random = plainKeyRandom(constant(7));
    await random.ready();
    expect([random.augmented, [...random.bytes(2)], [...(await random.external(2))]]).toEqual([
      false,
      [7, 7],
      [7, 7],
    ]);
  });
});
