import { expect, test } from 'vitest';
import { Barrier } from '../../../../src/engine/barrier/barrier.ts';
import { MAX_OPERATIONS } from '../../../../src/engine/barrier/keyring.ts';
import { createInmem } from '../../../../src/engine/physical/inmem.ts';
import { systemRandom } from '../../../../src/lib/random.ts';
import { Secret } from '../../../../src/lib/secret.ts';

const DAY = 86_400_000;

async function setUp() {
  const physical = createInmem();
  using root = Secret.own(new Uint8Array(32).fill(7));
  const barrier = await Barrier.initialize(physical, root, systemRandom, new Date(0));
  const reopen = async (): Promise<Barrier> => {
    using key = Secret.own(new Uint8Array(32).fill(7));
    return await Barrier.unseal(physical, key);
  };
  return { barrier, reopen };
}

test('a key is replaced when it is old enough, and only while that is enabled', async () => {
  const { barrier, reopen } = await setUp();
  await barrier.put('a', new Uint8Array([1]));
  const interval = 24 * 3600 * 1e9;
  await barrier.setRotation({ disabled: true, maxOperations: MAX_OPERATIONS, interval });
  expect(await barrier.rotateIfDue(systemRandom, new Date(2 * DAY))).toBe(false);
  await barrier.setRotation({ disabled: false, maxOperations: MAX_OPERATIONS, interval });
  expect(await barrier.rotateIfDue(systemRandom, new Date(DAY - 1))).toBe(false);
  expect(await barrier.rotateIfDue(systemRandom, new Date(DAY))).toBe(true);
  expect(await barrier.rotateIfDue(systemRandom, new Date(DAY))).toBe(false);
  const again = await reopen();
  expect(again.keyStatus().term).toBe(2);
  expect(again.rotation().interval).toBe(interval);
  expect([...((await again.get('a')) ?? [])]).toEqual([1]);
});

test('encryptions are counted over restarts, and the limit rotates', async () => {
  const { barrier, reopen } = await setUp();
  await barrier.setRotation({ disabled: false, maxOperations: 5, interval: 0 });
  for (let round = 0; round < 3; round += 1) await barrier.put(`a${round}`, new Uint8Array(1));
  expect(await barrier.rotateIfDue(systemRandom, new Date(0))).toBe(false);
  const again = await reopen();
  expect(again.keyStatus().encryptions).toBe(3);
  for (let round = 0; round < 2; round += 1) await again.put(`b${round}`, new Uint8Array(1));
  expect(await again.rotateIfDue(systemRandom, new Date(0))).toBe(true);
  expect(again.keyStatus()).toMatchObject({ term: 2, encryptions: 0 });
});

test('changes at the same time lose neither a key nor a setting', async () => {
  const { barrier, reopen } = await setUp();
  await Promise.all([
    barrier.rotate(systemRandom, new Date(0)),
    barrier.setRotation({ disabled: true, maxOperations: 2_000_000, interval: 0 }),
    barrier.rotate(systemRandom, new Date(0)),
    barrier.put('a', new Uint8Array([9])),
  ]);
  const again = await reopen();
  expect(again.keyStatus().term).toBe(3);
  expect(again.rotation()).toEqual({ disabled: true, maxOperations: 2_000_000, interval: 0 });
  expect([...((await again.get('a')) ?? [])]).toEqual([9]);
});
