import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import type { Random } from '../../../lib/random.ts';
import { errorFields, LeaderLost } from '../errors.ts';
import { microTime } from '../time.ts';
import type { Lease, LeaseSpec, LeaseStore } from './lease.ts';

/** Times of an election, in milliseconds. */
export interface ElectionTimes {
  /** Others wait so long after the last renewal that they saw. */
  readonly leaseMs: number;
  /** The holder gives up when it could not renew for so long. */
  readonly renewMs: number;
  readonly retryMs: number;
}

/** What an election needs. */
export interface ElectionOptions {
  readonly store: LeaseStore;
  /** Unique to this process. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: Pick<Random, 'fraction'>;
  readonly log: Logger;
  readonly times?: Partial<ElectionTimes>;
}

const TIMES: ElectionTimes = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2_000 };

/**
 * One of several processes leads: the one that holds a Lease.
 *
 * I1  Time is measured by each process's own monotonic clock, from before a renewal was sent; what others wrote
 *     about their time is never compared with ours.
 * I2  Whoever has not renewed within renewMs does not hold the lease any more, whatever the reason, a process
 *     that was stopped included: holds() says so before the first write after the stop.
 * I3  A lease once lost is not taken again by the same process: it ends.
 */
export class Election {
  readonly #options: ElectionOptions;
  readonly #times: ElectionTimes;
  #lease: Lease | undefined;
  /** Monotonic time at which the last successful renewal was begun. */
  #renewed: number | undefined;
  /** Monotonic time at which #lease's version was first seen. */
  #seen = 0;
  #lost = false;

  constructor(options: ElectionOptions) {
    this.#options = options;
    this.#times = { ...TIMES, ...options.times };
  }

  /** Whether this process may write now. */
  holds(): boolean {
    if (this.#lost || this.#renewed === undefined) return false;
    if (this.#options.clock.monotonic() - this.#renewed < this.#times.renewMs) return true;
    this.#lost = true;
    return false;
  }

  /** @throws LeaderLost unless this process may write now */
  mayWrite(): void {
    if (!this.holds()) throw new LeaderLost();
  }

  /** Waits until this process leads. @throws Aborted when the signal fires first */
  async acquire(signal: AbortSignal): Promise<void> {
    const { clock, log, random } = this.#options;
    for (;;) {
      try {
        if (await this.#tryAcquire(signal)) return;
      } catch (error: unknown) {
        if (signal.aborted) throw error;
        log.warn(errorFields(error), 'the lease could not be read or written');
      }
      await clock.sleep(this.#times.retryMs * (1 + 0.2 * random.fraction()), { signal });
    }
  }

  /** Renews the lease until it is lost, or the signal fires. @throws LeaderLost when it is lost */
  async keep(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      try {
        await clock.sleep(this.#times.retryMs, { signal });
      } catch {
        return;
      }
      this.mayWrite();
      await this.#renew(signal);
      if (!signal.aborted) this.mayWrite();
    }
  }

  /** Gives the lease up, so that the next one need not wait for it to expire. Errors are no matter: it expires. */
  async release(signal: AbortSignal): Promise<void> {
    const { clock, identity, log, store } = this.#options;
    if (!this.holds()) return;
    this.#lost = true;
    try {
      const lease = await store.read(signal);
      if (lease?.spec.holderIdentity !== identity) return;
      const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 };
      await store.write(lease.version, { ...spec, renewTime: microTime(clock.now()) }, signal);
    } catch (error: unknown) {
      log.warn(errorFields(error), 'the lease could not be given up');
    }
  }

  async #tryAcquire(signal: AbortSignal): Promise<boolean> {
    const { clock, identity, store } = this.#options;
    const lease = await store.read(signal);
    if (lease?.version !== this.#lease?.version) this.#seen = clock.monotonic();
    this.#lease = lease;
    const holder = lease?.spec.holderIdentity ?? '';
    const durationMs = (lease?.spec.leaseDurationSeconds ?? 0) * 1000 || this.#times.leaseMs;
    if (holder !== '' && holder !== identity && clock.monotonic() - this.#seen < durationMs) return false;
    const begun = clock.monotonic();
    const now = microTime(clock.now());
    const transitions = lease?.spec.leaseTransitions ?? 0;
    const spec: LeaseSpec = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#times.leaseMs / 1000),
      acquireTime: now,
      renewTime: now,
      leaseTransitions: lease === undefined ? 0 : transitions + 1,
    };
    const written = await store.write(lease?.version, spec, signal);
    if (written === undefined) return false;
    this.#lease = written;
    // An answer that took too long is worth nothing; the next round finds our own name in the lease.
    if (clock.monotonic() - begun >= this.#times.renewMs) return false;
    this.#renewed = begun;
    return true;
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { clock, identity, log, store } = this.#options;
    const begun = clock.monotonic();
    try {
      if (this.#lease === undefined) this.#lease = await store.read(signal);
      if (this.#lease?.spec.holderIdentity !== identity) {
        this.#lost = true;
        return;
      }
      const spec = { ...this.#lease.spec, renewTime: microTime(clock.now()) };
      const written = await store.write(this.#lease.version, spec, signal);
      // Somebody wrote it: perhaps we, in a call whose answer was lost. The next look will tell.
      this.#lease = written;
      if (written !== undefined) this.#renewed = begun;
      else await this.#renewAgain(signal);
    } catch (error: unknown) {
      if (!signal.aborted) log.warn(errorFields(error), 'the lease could not be renewed');
    }
  }

  async #renewAgain(signal: AbortSignal): Promise<void> {
    const lease = await this.#options.store.read(signal);
    if (lease?.spec.holderIdentity === this.#options.identity) this.#lease = lease;
    else this.#lost = true;
  }
}
