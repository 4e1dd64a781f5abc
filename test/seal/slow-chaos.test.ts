import { existsSync, renameSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Secret } from '../../src/lib/secret.ts';
import { CONTEXT, children, configOf, makeSeal, makeToken, SIGNAL } from './support.ts';

const RUN_MS = Number(process.env['CHAOS_MS'] ?? 15_000);
const CLIENTS = 6;

/** A small generator with a seed, so that a schedule can be run again (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('under faults at random, what was sealed opens unchanged or fails with a code, and works again after', async () => {
  const seed = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000);
  console.log(`CHAOS_SEED=${seed}`);
  const random = seeded(seed);
  using token = makeToken();
  const timing = { startMs: 5_000, openMs: 3_000, callMs: 600 };
  await using seal = makeSeal(configOf(token), {
    timing,
  });
  const call = { signal: SIGNAL };
  await seal.open({ ...call, allowGenerateKey: true });
  const kept: { blob: Uint8Array; text: string }[] = [];
  const counts = { done: 0, failed: 0, faults: 0 };
  const end = performance.now() + RUN_MS;

  const client = async (id: number): Promise<void> => {
    for (let n = 0; performance.now() < end; n += 1) {
      try {
        const text = `secret ${id} ${n}`;
        using secret = Secret.fromText(text);
        kept.push({ blob: await seal.wrap(secret, CONTEXT, call), text });
        const old = kept[Math.floor(random() * kept.length)];
        if (old === undefined) continue;
        using opened = await seal.unwrap(old.blob, CONTEXT, call);
        expect(opened.borrow((bytes) => Buffer.from(bytes).toString())).toBe(old.text);
        counts.done += 1;
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_HSM_(?!PIN)/) });
        counts.failed += 1;
        await pause(20);
      }
    }
  };

  const faults = async (): Promise<void> => {
    while (performance.now() < end) {
      await pause(100 + random() * 500);
      counts.faults += 1;
      const [pid] = children();
      const kind = random();
      if (kind < 0.4 && pid !== undefined) process.kill(pid, 'SIGKILL');
      else if (kind < 0.7 && pid !== undefined) {
        process.kill(pid, 'SIGSTOP');
        await pause(random() * 1_200);
        if (children().includes(pid)) process.kill(pid, 'SIGCONT');
      } else {
        renameSync(token.tokens, `${token.tokens}.away`);
        await pause(random() * 800);
        // A library that started meanwhile may have made an empty folder of the name.
        if (existsSync(token.tokens)) renameSync(token.tokens, `${token.tokens}.${counts.faults}`);
        renameSync(`${token.tokens}.away`, token.tokens);
      }
    }
  };

  await Promise.all([faults(), ...Array.from({ length: CLIENTS }, (_, id) => client(id))]);
  console.log(JSON.stringify(counts));
  await expect.poll(() => seal.health().healthy, { timeout: 10_000 }).toBe(true);
  for (const { blob, text } of kept) {
    using opened = await seal.unwrap(blob, CONTEXT, call);
    expect(opened.borrow((bytes) => Buffer.from(bytes).toString())).toBe(text);
  }
  expect(children()).toHaveLength(1);
  expect(counts.done).toBeGreaterThan(50);
  expect(counts.faults).toBeGreaterThan(5);
}, 120_000);
