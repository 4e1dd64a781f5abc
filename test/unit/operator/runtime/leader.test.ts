import { describe, expect, test } from 'vitest';
import { KubeApiError, LeaderLost } from '../../../../src/operator/runtime/errors.ts';
import { Election } from '../../../../src/operator/runtime/lead/leader.ts';
import type { Lease, LeaseSpec, LeaseStore } from '../../../../src/operator/runtime/lead/lease.ts';
import { FakeClock, settle } from './clock.ts';

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };

/** A lease as an API server keeps it: a write with an old version is refused. */
class FakeLease implements LeaseStore {
  lease: Lease | undefined;
  failing = false;
  /** The next write is done, and its answer lost. */
  loseAnswer = false;
  writes = 0;
  #version = 0;

  read(): Promise<Lease | undefined> {
    return this.failing ? Promise.reject(broken()) : Promise.resolve(this.lease);
  }

  write(version: string | undefined, spec: LeaseSpec): Promise<Lease | undefined> {
    if (this.failing) return Promise.reject(broken());
    if (version !== this.lease?.version) return Promise.resolve(undefined);
    this.#version += 1;
    this.writes += 1;
    this.lease = { version: String(this.#version), spec };
    if (!this.loseAnswer) return Promise.resolve(this.lease);
    this.loseAnswer = false;
    return Promise.reject(broken());
  }
}

function broken(): KubeApiError {
  return new KubeApiError({ verb: 'update', resource: 'leases', status: 0, reason: 'ECONNREFUSED' });
}

function election(store: LeaseStore, clock: FakeClock, identity: string): Election {
  return new Election({ store, clock, identity, random: { fraction: () => 0.5 }, log: silent });
}

const forever = new AbortController().signal;

describe('election', () => {
  test('the first one leads, a second one waits', async () => {
    const clock = new FakeClock();
    const store = new FakeLease();
    const [a, b] = [election(store, clock, 'a'), election(store, clock, 'b')];
    await a.acquire(forever);
    const waiting = b.acquire(forever);
    void a.keep(forever);
    await clock.advance(120_000);
    expect(a.holds()).toBe(true);
    expect(b.holds()).toBe(false);
    expect(store.lease?.spec.holderIdentity).toBe('a');
    void waiting;
  });

  test('times carry six digits', async () => {
    const store = new FakeLease();
    await election(store, new FakeClock(), 'a').acquire(forever);
    expect(store.lease?.spec.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  });

  test('a lease that is given up is taken within seconds', async () => {
    const clock = new FakeClock();
    const store = new FakeLease();
    const [a, b] = [election(store, clock, 'a'), election(store, clock, 'b')];
    await a.acquire(forever);
    const waiting = b.acquire(forever);
    await a.release(forever);
    expect(a.holds()).toBe(false);
    await clock.advance(3_000);
    await waiting;
    expect(b.holds()).toBe(true);
    expect(store.lease?.spec.leaseTransitions).toBe(1);
  });

  test('there are never two that hold it, whoever stalls and for how long', async () => {
    for (const stall of [1_000, 9_999, 10_000, 14_999, 15_000, 60_000]) {
      const clock = new FakeClock();
      const store = new FakeLease();
      const [a, b] = [election(store, clock, 'a'), election(store, clock, 'b')];
      await a.acquire(forever);
      // a is stopped: it never renews again. b goes on.
      const waiting = b.acquire(forever);
      let leads = false;
      void waiting.then(() => (leads = true));
      for (let passed = 0; passed < stall; passed += 500) {
        await clock.advance(Math.min(500, stall - passed));
        if (leads) expect(a.holds()).toBe(false);
      }
      expect(a.holds()).toBe(stall < 10_000);
      await clock.advance(20_000);
      expect(leads).toBe(true);
      expect(a.holds()).toBe(false);
      expect(b.holds() || store.lease?.spec.holderIdentity === 'b').toBe(true);
    }
  });

  test('a process that was stopped past its time may not write a single time more', async () => {
    const clock = new FakeClock();
    const store = new FakeLease();
    const a = election(store, clock, 'a');
    await a.acquire(forever);
    const keeping = a.keep(forever).catch((error: unknown) => error);
    await settle();
    const writes = store.writes;
    clock.stall(30_000);
    expect(() => a.mayWrite()).toThrow(LeaderLost);
    await clock.advance(10_000);
    expect(await keeping).toBeInstanceOf(LeaderLost);
    expect(store.writes).toBe(writes);
    // Not even when the lease is still in its name.
    expect(store.lease?.spec.holderIdentity).toBe('a');
    expect(a.holds()).toBe(false);
  });

  test('an API server that is away for less than the deadline costs nothing', async () => {
    const clock = new FakeClock();
    const store = new FakeLease();
    const a = election(store, clock, 'a');
    await a.acquire(forever);
    const keeping = a.keep(forever).catch((error: unknown) => error);
    store.failing = true;
    await clock.advance(7_000);
    store.failing = false;
    await clock.advance(60_000);
    expect(a.holds()).toBe(true);
    store.failing = true;
    await clock.advance(13_000);
    expect(await keeping).toBeInstanceOf(LeaderLost);
  });

  test('a renewal whose answer was lost is recognised as our own', async () => {
    const clock = new FakeClock();
    const store = new FakeLease();
    const a = election(store, clock, 'a');
    await a.acquire(forever);
    void a.keep(forever);
    store.loseAnswer = true;
    await clock.advance(60_000);
    expect(a.holds()).toBe(true);
  });

  test('a lease that another one took is lost at once', async () => {
    const clock = new FakeClock();
    const store = new FakeLease();
    const a = election(store, clock, 'a');
    await a.acquire(forever);
    const keeping = a.keep(forever).catch((error: unknown) => error);
    await store.write(store.lease?.version, { holderIdentity: 'b' });
    await clock.advance(2_000);
    expect(await keeping).toBeInstanceOf(LeaderLost);
  });
});
