import type { Clock } from '../../lib/clock.ts';
import { describeError } from '../../lib/errors.ts';
import type { JsonObject } from '../../lib/json.ts';
import { KeyedMutex } from '../../lib/keyed-mutex.ts';
import type { Random } from '../../lib/random.ts';
import { leaseTtl } from '../logical/grant-ttl.ts';
import type { HeldLease, SecretLease, SecretRenewal } from '../logical/lease.ts';
import type { LeaseTtl, TokenEntry } from '../logical/request.ts';
import type { Due } from '../logical/expiry-index.ts';
import type { Storage } from '../logical/storage.ts';
import { type Lease, LeaseRecords } from './records.ts';

/**
 * Leases: what a secrets engine gave away and will take back.
 *
 * I1  A lease is stored, with its indexes, before the secret is told to anyone.
 * I2  A lease is gone only after its engine took the secret back, or after a forced revocation.
 * I3  Nothing is loaded at start: what is due is found by an index of times in storage.
 * I4  A lease ends with its token: revoking or expiring the token makes it due in the same moment.
 * I5  A revocation that fails is tried again with back-off; after six tries the lease is irrevocable, and stays
 *     until someone revokes it by name or by force.
 * I6  Renewals and revocations of one lease follow each other.
 */
export interface LeaseOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  /** The engine that gave a secret, by the accessor of its mount. */
  readonly holder: (accessor: string) => LeaseHolder | undefined;
  /** Hears of each lease that is gone. */
  readonly onRemoved?: (id: string) => void;
}

/** A mounted engine, as far as leases go. */
export interface LeaseHolder {
  readonly limits: LeaseTtl;
  readonly backend: {
    renewSecret?(lease: HeldLease): Promise<SecretRenewal>;
    revokeSecret?(lease: HeldLease): Promise<void>;
  };
}

export type { Lease } from './records.ts';

/** The answer to a renewal; TTL in seconds. */
export type Renewed =
  | { readonly lease: Lease; readonly ttl: number; readonly warnings: readonly string[] }
  | { readonly refused: string };

const MAX_FAILURES = 6;
const RETRY_SECONDS = 10;
const AT_ONCE = 64;
const MOMENT_MS = 500;

export class Leases {
  readonly #records: LeaseRecords;
  readonly #options: LeaseOptions;
  readonly #mutex = new KeyedMutex();

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#records = new LeaseRecords(options.storage);
  }

  /** Names of all leases below a path that ends in a slash, or is empty. */
  below(prefix: string): AsyncIterable<string> {
    return this.#records.below(prefix);
  }

  /**
   * Stores the lease of a new secret.
   * @param path of the request, from the root of the API. @param token whoever asked
   */
  async register(
    secret: SecretLease,
    { path, mount, limits }: { readonly path: string; readonly mount: string; readonly limits: LeaseTtl },
    token: TokenEntry | undefined,
  ): Promise<{ readonly lease: Lease; readonly ttl: number; readonly warnings: readonly string[] }> {
    const now = this.#now();
    const warnings: string[] = [];
    const granted = leaseTtl({ ...secret, increment: 0, issueTime: now, now }, limits, warnings) ?? 0;
    const isBatch = token?.type === 'batch';
    const tokenExpireTime = isBatch ? token.expireTime : 0;
    const expireTime = within(now + granted, tokenExpireTime);
    const key = this.#options.random.base62(24);
    const lease: Lease = {
      id: `${path.replace(/\/$/, '')}/${key}`,
      key,
      mount,
      // A batch token has no record that could take the lease along: its parent has.
      token: (isBatch ? token.parent : token?.hash) ?? '',
      tokenExpireTime,
      internal: secret.internal,
      issueTime: now,
      expireTime,
      lastRenewal: 0,
      renewable: secret.renewable,
      dueTime: expireTime,
      failures: 0,
    };
    await this.#records.add(lease);
    return { lease, ttl: expireTime - now, warnings };
  }

  lookup(id: string): Promise<Lease | undefined> {
    return this.#records.byId(id);
  }

  list(prefix: string): Promise<string[]> {
    return this.#records.list(prefix);
  }

  /** @param increment seconds; 0 for what the engine gives */
  async renew(id: string, increment: number): Promise<Renewed> {
    const found = await this.#records.byId(id);
    if (found === undefined) return { refused: 'lease not found' };
    return this.#mutex.run(found.key, async () => {
      const lease = await this.#records.byId(id);
      if (lease === undefined) return { refused: 'lease not found' };
      const now = this.#now();
      if (lease.expireTime <= now) return { refused: 'lease expired' };
      const holder = this.#options.holder(lease.mount);
      if (!lease.renewable || holder?.backend.renewSecret === undefined)
        return { refused: 'lease is not renewable' };
      const wanted = await asked(holder.backend.renewSecret(this.#held(lease, holder.limits, increment)));
      if ('refused' in wanted) return wanted;
      const warnings: string[] = [];
      const ttl = leaseTtl(
        { ...wanted, increment, issueTime: lease.issueTime, now },
        holder.limits,
        warnings,
      );
      if (ttl === undefined) return { refused: 'past the max TTL, cannot renew' };
      const expireTime = within(now + ttl, lease.tokenExpireTime);
      const renewed: Lease = { ...lease, expireTime, dueTime: expireTime, lastRenewal: now };
      await this.#records.replace(lease, renewed);
      return { lease: renewed, ttl: expireTime - now, warnings };
    });
  }

  /**
   * Takes a secret back now. Unknown ids are fine.
   * @param force whether the lease goes even if its engine fails. @returns why it failed
   */
  async revoke(id: string, force = false): Promise<string | undefined> {
    const lease = await this.#records.byId(id);
    return lease === undefined ? undefined : this.#revoke(lease.key, force);
  }

  /** Makes a lease due: the sweeper takes the secret back. Unknown ids are fine. */
  async expire(id: string): Promise<void> {
    const lease = await this.#records.byId(id);
    if (lease !== undefined) await this.#expire(lease.key);
  }

  /**
   * Makes a lease due, and takes the secret back if that can be done in a moment: the sweeper does what is left, also
   * after a failure.
   */
  async expireSoon(id: string): Promise<void> {
    const lease = await this.#records.byId(id);
    if (lease === undefined) return;
    await this.#expire(lease.key);
    const turn = this.#mutex
      .run(lease.key, () => this.#revokeDue(lease.key, new Set()))
      .catch(() => undefined);
    await Promise.race([turn, this.#options.clock.sleep(MOMENT_MS)]);
  }

  /** @returns why it failed: the first that could not be taken back ends it, unless it is forced */
  async revokePrefix(prefix: string, force = false): Promise<string | undefined> {
    let batch: string[] = [];
    const flush = async (): Promise<string | undefined> => {
      const outcomes = await Promise.all(batch.map((key) => this.#revoke(key, force)));
      batch = [];
      return outcomes.find((failed) => failed !== undefined);
    };
    for await (const key of this.#records.below(prefix)) {
      batch.push(key);
      const failed = batch.length < AT_ONCE ? undefined : await flush();
      if (failed !== undefined) return failed;
    }
    return flush();
  }

  async expirePrefix(prefix: string): Promise<void> {
    for await (const key of this.#records.below(prefix)) await this.#expire(key);
  }

  /** Makes the leases of a token due. */
  async expireOfToken(token: string): Promise<void> {
    for await (const key of this.#records.ofToken(token)) await this.#expire(key);
  }

  /** Takes back what is due. @returns how many were tried */
  async sweep(signal?: AbortSignal): Promise<number> {
    const due = await this.#records.due(this.#now());
    const failing = new Set<string>();
    for (let offset = 0; offset < due.length && signal?.aborted !== true; offset += AT_ONCE)
      await Promise.all(due.slice(offset, offset + AT_ONCE).map((each) => this.#sweepOne(each, failing)));
    return due.length;
  }

  /** Mends indexes that a lease lost, and revokes the leases of tokens that are gone. */
  async tidy(hasToken: (hash: string) => Promise<boolean>): Promise<void> {
    for await (const key of this.#records.all()) {
      const orphan = await this.#mutex.run(key, async () => {
        const lease = await this.#records.byKey(key);
        if (lease === undefined) return false;
        await this.#records.mend(lease);
        return lease.token !== '' && !(await hasToken(lease.token));
      });
      if (orphan) await this.#expire(key);
    }
    await this.sweep();
  }

  async irrevocable(): Promise<Lease[]> {
    const found: Lease[] = [];
    for await (const key of this.#records.givenUp()) {
      const lease = await this.#records.byKey(key);
      if (lease !== undefined) found.push(lease);
    }
    return found;
  }

  #revoke(key: string, force: boolean): Promise<string | undefined> {
    return this.#mutex.run(key, async () => {
      const lease = await this.#records.byKey(key);
      if (lease === undefined) return undefined;
      const failed = await this.#takeBack(lease);
      if (failed !== undefined && !force) return `failed to revoke ${JSON.stringify(lease.id)}: ${failed}`;
      await this.#records.remove(lease);
      this.#options.onRemoved?.(lease.id);
      return undefined;
    });
  }

  // The renewal that came first wins: what is not due any more is left alone.
  // The rest of an engine that failed in this round waits for a later one, so that it does not hold up the others.
  #sweepOne(due: Due, failing: Set<string>): Promise<void> {
    return this.#mutex.run(due.id, async () => {
      const lease = await this.#records.byKey(due.id);
      if (lease?.dueTime === due.time) await this.#revokeDue(due.id, failing);
      else await this.#records.dropDue(due);
    });
  }

  // By whoever holds the key.
  async #revokeDue(key: string, failing: Set<string>): Promise<void> {
    const lease = await this.#records.byKey(key);
    if (lease === undefined || lease.dueTime === 0 || lease.dueTime > this.#now()) return;
    if (failing.has(lease.mount)) {
      await this.#records.replace(lease, { ...lease, dueTime: this.#now() + RETRY_SECONDS });
      return;
    }
    const error = await this.#takeBack(lease);
    if (error === undefined) {
      await this.#records.remove(lease);
      this.#options.onRemoved?.(lease.id);
      return;
    }
    failing.add(lease.mount);
    const failures = lease.failures + 1;
    const givenUp = failures >= MAX_FAILURES;
    await this.#records.replace(lease, {
      ...lease,
      failures,
      dueTime: givenUp ? 0 : this.#now() + this.#delay(failures),
      ...(givenUp ? { error } : {}),
    });
  }

  #expire(key: string): Promise<void> {
    return this.#mutex.run(key, async () => {
      const lease = await this.#records.byKey(key);
      if (lease === undefined) return;
      const now = this.#now();
      const { error: _error, ...rest } = lease;
      const expireTime = Math.min(lease.expireTime, now);
      await this.#records.replace(lease, { ...rest, expireTime, dueTime: now, failures: 0 });
    });
  }

  async #takeBack(lease: Lease): Promise<string | undefined> {
    const holder = this.#options.holder(lease.mount);
    if (holder?.backend.revokeSecret === undefined) return undefined;
    try {
      await holder.backend.revokeSecret(this.#held(lease, holder.limits, 0));
      return undefined;
    } catch (error) {
      return describeError(error);
    }
  }

  #held({ id, internal, issueTime, expireTime }: Lease, limits: LeaseTtl, increment: number): HeldLease {
    return { id, internal: internal as JsonObject, issueTime, expireTime, increment, limits };
  }

  // Half to one and a half of the doubled delay, so that many do not come back at once.
  #delay(failures: number): number {
    return Math.ceil(RETRY_SECONDS * 2 ** failures * (0.5 + this.#options.random.fraction()));
  }

  #now(): number {
    return Math.floor(this.#options.clock.now() / 1000);
  }
}

async function asked(renewal: Promise<SecretRenewal>): Promise<SecretRenewal> {
  try {
    return await renewal;
  } catch (error) {
    return { refused: `failed to renew entry: ${describeError(error)}` };
  }
}

function within(time: number, limit: number): number {
  return limit === 0 ? time : Math.min(time, limit);
}
