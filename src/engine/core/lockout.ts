import { BoundedMap } from '../../lib/bounded-map.ts';
import { toHex, utf8 } from '../../lib/bytes.ts';
import type { Clock } from '../../lib/clock.ts';
import { KeyedMutex } from '../../lib/keyed-mutex.ts';
import { getJson, jsonPut, type Storage } from '../logical/storage.ts';
import { LOCKABLE_TYPES, type LockoutRule, type LockoutSettings, type MountEntry } from '../mount/mount.ts';

/** Rules of the configuration: of an auth method's type, and of `all` others. */
export type LockoutRules = Readonly<Record<string, LockoutSettings>>;

/** A name that was locked, and where. */
export interface LockedUser {
  readonly accessor: string;
  readonly name: string;
}

interface Failures {
  readonly name: string;
  readonly count: number;
  /** Milliseconds since the epoch. */
  readonly last: number;
  readonly locked: boolean;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** A log-in that is being judged: it counts as a failure until it ends. */
export interface Attempt {
  /** To be called once. */
  end(outcome: 'succeeded' | 'failed' | 'neither'): Promise<void>;
}

interface Pending {
  count: number;
  waiting: (() => void)[];
}

const UNCOUNTED: Attempt = { end: () => Promise.resolve() };

const DEFAULTS: LockoutRule = { threshold: 5, duration: 900, counterReset: 900, disabled: false };
const NAMES = 100_000;

/**
 * Names that failed to log in too often are refused for a while, as Vault documents it: a mount's tuning beats the
 * configuration of its type, which beats that of all types. Failures are counted in memory; locks survive a restart.
 *
 * I1  No more attempts of a name are judged at once than it has failures left: the others wait for the outcome.
 */
export class Lockout {
  readonly #clock: Clock;
  readonly #storage: Storage;
  readonly #rules: LockoutRules;
  readonly #failures = new BoundedMap<string, Failures>(NAMES);
  /** The oldest first; until when, at most, in milliseconds since the epoch. */
  readonly #locked = new Map<string, LockedUser & { readonly until: number }>();
  readonly #writes = new KeyedMutex();
  readonly #pending = new Map<string, Pending>();

  private constructor(clock: Clock, storage: Storage, rules: LockoutRules) {
    this.#clock = clock;
    this.#storage = storage;
    this.#rules = rules;
  }

  /** @param storage of its own: `accessor/name` of each lock, the name as hex */
  static async open(clock: Clock, storage: Storage, rules: LockoutRules = {}): Promise<Lockout> {
    const lockout = new Lockout(clock, storage, rules);
    for (const folder of await storage.list('')) {
      for (const key of await storage.list(folder)) {
        const failures = await getJson<Failures>(storage, folder + key);
        if (failures === undefined) continue;
        const user = { accessor: folder.slice(0, -1), name: failures.name };
        lockout.#failures.set(id(user), failures);
        lockout.#locked.set(id(user), { ...user, until: failures.until });
      }
    }
    return lockout;
  }

  /** Begins an attempt to log in, which counts before it is judged. @returns undefined when the name is locked */
  async begin(mount: MountEntry, name: string): Promise<Attempt | undefined> {
    const rule = this.#rule(mount);
    if (rule.disabled) return UNCOUNTED;
    const key = id({ accessor: mount.accessor, name });
    for (;;) {
      if (await this.isLocked(mount, name)) return undefined;
      const pending = this.#pending.get(key) ?? { count: 0, waiting: [] };
      // One at a time when there is no failure left, as after a lock that is over.
      const left = Math.max(1, rule.threshold - this.#counted(rule, key));
      this.#pending.set(key, pending);
      if (pending.count < left) {
        pending.count += 1;
        return { end: (outcome) => this.#end(mount, name, pending, outcome) };
      }
      await new Promise<void>((resolve) => pending.waiting.push(resolve));
    }
  }

  async #end(
    mount: MountEntry,
    name: string,
    pending: Pending,
    outcome: 'succeeded' | 'failed' | 'neither',
  ): Promise<void> {
    const key = id({ accessor: mount.accessor, name });
    // Counted, in this very moment, before anybody who waits looks.
    const counted =
      outcome === 'failed'
        ? this.#failed(mount, name)
        : outcome === 'succeeded'
          ? this.#succeeded(mount, name)
          : Promise.resolve();
    pending.count -= 1;
    if (pending.count === 0 && this.#pending.get(key) === pending) this.#pending.delete(key);
    const { waiting } = pending;
    pending.waiting = [];
    for (const wake of waiting) wake();
    await counted;
  }

  // Failures that still count.
  #counted(rule: LockoutRule, key: string): number {
    const before = this.#failures.get(key);
    const counts =
      before !== undefined && !before.locked && this.#clock.now() < before.last + rule.counterReset * 1000;
    return counts ? before.count : 0;
  }

  async isLocked(mount: MountEntry, name: string): Promise<boolean> {
    const rule = this.#rule(mount);
    const user = { accessor: mount.accessor, name };
    const found = this.#failures.get(id(user));
    if (rule.disabled || found === undefined || !found.locked) return false;
    if (this.#clock.now() < found.last + rule.duration * 1000) return true;
    await this.#forget(user);
    return false;
  }

  async #failed(mount: MountEntry, name: string): Promise<void> {
    const rule = this.#rule(mount);
    const user = { accessor: mount.accessor, name };
    const now = this.#clock.now();
    const count = this.#counted(rule, id(user)) + 1;
    const until = now + rule.duration * 1000;
    const next: Failures = { name, count, last: now, locked: count >= rule.threshold, until };
    this.#failures.set(id(user), next);
    if (!next.locked) return;
    await this.#prune(now);
    this.#locked.set(id(user), { ...user, until });
    await this.#writes.run(id(user), () => this.#storage.write([jsonPut(key(user), next)]));
  }

  async #succeeded(mount: MountEntry, name: string): Promise<void> {
    const user = { accessor: mount.accessor, name };
    if (this.#failures.get(id(user)) !== undefined) await this.#forget(user);
  }

  /** Who is locked now. @param mountOf the mount of an accessor, while there is one */
  async list(mountOf: (accessor: string) => MountEntry | undefined): Promise<LockedUser[]> {
    const found: LockedUser[] = [];
    for (const user of this.#locked.values()) {
      const mount = mountOf(user.accessor);
      if (mount === undefined) await this.#forget(user);
      else if (await this.isLocked(mount, user.name)) found.push(user);
    }
    return found;
  }

  unlock(user: LockedUser): Promise<void> {
    return this.#forget(user);
  }

  #rule({ type, config }: MountEntry): LockoutRule {
    if (!LOCKABLE_TYPES.includes(type)) return { ...DEFAULTS, disabled: true };
    return { ...DEFAULTS, ...this.#rules['all'], ...this.#rules[type], ...config.userLockout };
  }

  // Whoever guesses at names must not fill the storage with locks that are over.
  async #prune(now: number): Promise<void> {
    for (const user of this.#locked.values()) {
      if (user.until > now) return;
      await this.#forget(user);
    }
  }

  async #forget(user: LockedUser): Promise<void> {
    this.#failures.delete(id(user));
    if (!this.#locked.delete(id(user))) return;
    await this.#writes.run(id(user), () => this.#storage.delete(key(user)));
  }
}

function id({ accessor, name }: LockedUser): string {
  return `${accessor}/${name}`;
}

function key({ accessor, name }: LockedUser): string {
  return `${accessor}/${toHex(utf8(name))}`;
}
