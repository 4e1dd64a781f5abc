import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WorkQueue } from '../../../../src/operator/runtime/work/queue.ts';
import { FakeClock, settle } from './clock.ts';

const random = { fraction: () => 1 };

type Step =
  | { readonly do: 'add'; readonly key: string }
  | { readonly do: 'after'; readonly key: string; readonly ms: number }
  | { readonly do: 'retry'; readonly key: string }
  | { readonly do: 'take' }
  | { readonly do: 'done' }
  | { readonly do: 'pass'; readonly ms: number };

const key = fc.constantFrom('a', 'b', 'c');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('add' as const), key }),
  fc.record({ do: fc.constant('after' as const), key, ms: fc.integer({ min: 1, max: 50 }) }),
  fc.record({ do: fc.constant('retry' as const), key }),
  fc.record({ do: fc.constant('take' as const) }),
  fc.record({ do: fc.constant('done' as const) }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 60 }) }),
);

describe('queue', () => {
  // The model is a number for each key: when it was last asked for, and when work on it last began.
  test('a key is never handed out twice at once, and its last event is never lost (I2)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const clock = new FakeClock();
        const queue = new WorkQueue({ clock, random });
        const working: string[] = [];
        const asked = new Map<string, number>();
        const began = new Map<string, number>();
        let moment = 0;
        const ask = (name: string): void => void asked.set(name, (moment += 1));
        const take = async (): Promise<void> => {
          const name = await queue.take();
          if (name === undefined) return;
          expect(working).not.toContain(name);
          working.push(name);
          began.set(name, (moment += 1));
        };
        for (const each of steps) {
          if (each.do === 'add') {
            ask(each.key);
            queue.add(each.key);
          } else if (each.do === 'after') {
            ask(each.key);
            queue.addAfter(each.key, each.ms);
          } else if (each.do === 'retry') {
            ask(each.key);
            queue.retry(each.key);
          } else if (each.do === 'take') {
            if (queue.depth > 0) await take();
          } else if (each.do === 'done') {
            const name = working.shift();
            if (name !== undefined) queue.done(name);
          } else await clock.advance(each.ms);
        }
        // Everything waits out its time; then all that was asked for must come.
        await clock.advance(400_000);
        for (let round = 0; round < 20 && (queue.depth > 0 || working.length > 0); round += 1) {
          while (queue.depth > 0) await take();
          for (const name of working.splice(0)) queue.done(name);
        }
        expect(queue.depth).toBe(0);
        expect(queue.active).toBe(0);
        for (const [name, at] of asked) expect(began.get(name) ?? 0).toBeGreaterThan(at);
      }),
    );
  });

  test('a key that waits is not added twice', async () => {
    const queue = new WorkQueue({ clock: new FakeClock(), random });
    queue.add('a');
    queue.add('a');
    expect(queue.depth).toBe(1);
    expect(await queue.take()).toBe('a');
    expect(queue.depth).toBe(0);
  });

  test('a key that is added while it is worked on comes again when it is done', async () => {
    const queue = new WorkQueue({ clock: new FakeClock(), random });
    queue.add('a');
    await queue.take();
    queue.add('a');
    queue.add('a');
    expect(queue.depth).toBe(0);
    queue.done('a');
    expect(queue.depth).toBe(1);
  });

  test('delays of a failing key double from 5 ms to 5 minutes, each key by itself', () => {
    const queue = new WorkQueue({ clock: new FakeClock(), random });
    const delays = Array.from({ length: 20 }, () => queue.retry('a'));
    expect(delays.slice(0, 4)).toEqual([5, 10, 20, 40]);
    expect(delays.at(-1)).toBe(300_000);
    expect(queue.retry('b')).toBe(5);
    queue.forget('a');
    expect(queue.retry('a')).toBe(5);
  });

  test('of several times the earliest holds', async () => {
    const clock = new FakeClock();
    const queue = new WorkQueue({ clock, random });
    queue.addAfter('a', 1_000);
    queue.addAfter('a', 100);
    queue.addAfter('a', 5_000);
    await clock.advance(99);
    expect(queue.depth).toBe(0);
    await clock.advance(1);
    expect(queue.depth).toBe(1);
    await queue.take();
    queue.done('a');
    await clock.advance(10_000);
    expect(queue.depth).toBe(0);
  });

  test('a closed queue lets its workers go and takes nothing more', async () => {
    const queue = new WorkQueue({ clock: new FakeClock(), random });
    const waiting = queue.take();
    queue.close();
    queue.add('a');
    await settle();
    expect(await waiting).toBeUndefined();
    expect(await queue.take()).toBeUndefined();
    expect(queue.depth).toBe(0);
  });
});
