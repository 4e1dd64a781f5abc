import { existsSync, renameSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Secret } from '../../src/lib/secret.ts';
import { EngineUnderFaults } from './engine-under-faults.ts';
import { FaultLibrary } from './fault-library.ts';
import { pause, RUN_MS, schedule, seeded, seedOfRun } from './fault-schedule.ts';
import { CONTEXT, children, configOf, makeSeal, makeToken, SIGNAL } from './support.ts';

/** The three tests share the time. */
const SHARE_MS = RUN_MS / 3;
const CLIENTS = 6;

let library: FaultLibrary;
beforeAll(() => {
  library = new FaultLibrary();
});
afterAll(() => library.remove());

test.each(['child', 'sidecar'] as const)(
  'under a schedule of faults, an engine with its agent as %s loses nothing acknowledged and no request that needs no HSM',
  async (placement) => {
    const steps = schedule(seedOfRun());
    const subject = new EngineUnderFaults(library, placement);
    try {
      await subject.start();
      const clients = subject.clients();
      const end = performance.now() + SHARE_MS;
      const seen: string[] = [];
      while (performance.now() < end) {
        const step = steps.next().value;
        seen.push(`${step.kind} ${step.times} ${step.forMs}`);
        await subject.suffer(step, seen.length);
      }
      subject.end();
      await clients;
      const { acknowledged, recoveries, lost, wrong, ...counts } = subject.load;
      console.log(
        JSON.stringify({ placement, seen, recoveries, ...counts, acknowledged: acknowledged.size }),
      );
      expect({ lost, wrong }).toEqual({ lost: [], wrong: [] });
      expect(await subject.missing()).toEqual([]);
      expect(await subject.leaks()).toEqual([]);
      expect(counts.plain).toBeGreaterThan(50);
      expect(counts.sealed).toBeGreaterThan(10);
      expect(counts.rotations).toBeGreaterThan(0);
    } finally {
      await subject.remove();
    }
  },
  RUN_MS + 300_000,
);

test(
  'under faults at random, what was sealed opens unchanged or fails with a code, and works again after',
  async () => {
    const random = seeded(seedOfRun());
    using token = makeToken();
    const timing = { startMs: 5_000, openMs: 3_000, callMs: 600 };
    await using seal = makeSeal(configOf(token), {
      timing,
    });
    const call = { signal: SIGNAL };
    await seal.open({ ...call, allowGenerateKey: true });
    const kept: { blob: Uint8Array; text: string }[] = [];
    const counts = { done: 0, failed: 0, faults: 0 };
    const end = performance.now() + SHARE_MS;

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
  },
  RUN_MS + 120_000,
);
