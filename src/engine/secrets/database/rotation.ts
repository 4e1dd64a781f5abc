import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import type { DatabaseContext } from './context.ts';
import { allowsRole } from './context.ts';
import { DatabaseFailed } from './errors.ts';
import { makePassword } from './passwords.ts';
import { nextTime, parseSchedule } from './schedule.ts';
import type { StaticRole } from './store.ts';

const RETRY_SECONDS = 10;
const AT_ONCE = 8;

/**
 * Passwords of static roles: changed in the database and kept here, in this order, so that a crash loses none:
 * the new one is stored as an intent; the database gets it; the role gets it and the intent goes. What a crash cuts
 * off is done again with the same password, which is right whether or not the database had it already.
 */
export class Rotation {
  readonly #context: DatabaseContext;
  readonly #mutex = new KeyedMutex();

  constructor(context: DatabaseContext) {
    this.#context = context;
  }

  /** Runs work that no rotation of this role may be beside. */
  exclusive<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(name, work);
  }

  /** The first rotation of a role that is not stored yet; for who runs alone. @throws ERR_DATABASE, and nothing is stored */
  async begin(name: string, role: Omit<StaticRole, 'password' | 'lastRotation' | 'dueTime'>): Promise<void> {
    const { store } = this.#context;
    const password = await this.#password(name, role);
    await store.putStaticIntent(name, { username: role.username, password });
    try {
      await this.#change(role, password);
    } catch (error) {
      await store.deleteStaticRole(name, undefined);
      throw error;
    }
    const now = this.now();
    const stored = { ...role, password, lastRotation: now };
    await store.putStaticRole(name, undefined, { ...stored, dueTime: nextRotation(stored, now) }, 'done');
  }

  /** Rotates now. @returns false when there is no such role. @throws ERR_DATABASE; it is tried again by itself */
  rotate(name: string, onlyDue = false): Promise<boolean> {
    return this.exclusive(name, async () => {
      const { store } = this.#context;
      const role = await store.staticRole(name);
      const now = this.now();
      if (role === undefined || (onlyDue && role.dueTime > now)) return role !== undefined;
      const pending = await store.staticIntent(name);
      if (onlyDue && pending === undefined && isTooLate(role, now)) {
        await store.putStaticRole(name, role, { ...role, dueTime: nextRotation(role, now) }, 'keep');
        return true;
      }
      const password = pending?.password ?? (await this.#password(name, role));
      const trying: StaticRole = { ...role, dueTime: now + RETRY_SECONDS };
      await store.putStaticRole(name, role, trying, { username: role.username, password });
      await this.#change(role, password);
      const done = { ...role, password, lastRotation: now };
      await store.putStaticRole(name, trying, { ...done, dueTime: nextRotation(done, now) }, 'done');
      return true;
    });
  }

  /** Rotates what is due. @throws ERR_DATABASE the first failure, after all were tried */
  async tick(): Promise<void> {
    const due = await this.#context.store.due(this.now());
    let failed: unknown;
    for (let offset = 0; offset < due.length; offset += AT_ONCE) {
      const outcomes = await Promise.allSettled(
        due.slice(offset, offset + AT_ONCE).map((name) => this.rotate(name, true)),
      );
      for (const outcome of outcomes) if (outcome.status === 'rejected') failed ??= outcome.reason;
    }
    if (failed !== undefined) throw failed instanceof Error ? failed : new TypeError('a rotation failed');
  }

  now(): number {
    return Math.floor(this.#context.clock.now() / 1000);
  }

  async #password(name: string, role: Pick<StaticRole, 'dbName' | 'credentialConfig'>): Promise<string> {
    const { store, passwordFrom, random } = this.#context;
    const config = await store.config(role.dbName);
    if (config === undefined)
      throw new DatabaseFailed(
        `failed to find entry for connection with name: ${JSON.stringify(role.dbName)}`,
      );
    if (!allowsRole(config.allowedRoles, name))
      throw new DatabaseFailed(`${JSON.stringify(name)} is not an allowed role`);
    const policy = role.credentialConfig['password_policy'] || config.passwordPolicy;
    return makePassword(policy, passwordFrom, random);
  }

  #change(role: Pick<StaticRole, 'dbName' | 'username' | 'statements'>, password: string): Promise<void> {
    const { username, statements } = role;
    return this.#context.connections.use(
      role.dbName,
      ({ plugin }) => plugin.changePassword({ username, password, statements }),
      [password],
    );
  }
}

/** When a role is rotated next, in seconds since the epoch. */
export function nextRotation(
  role: Pick<StaticRole, 'rotationPeriod' | 'rotationSchedule' | 'lastRotation'>,
  now: number,
): number {
  const schedule = role.rotationSchedule === '' ? undefined : parseSchedule(role.rotationSchedule);
  if (schedule === undefined) return role.lastRotation + role.rotationPeriod;
  return nextTime(schedule, now) ?? now + 365 * 86_400;
}

// A scheduled rotation begins within its window, or waits for the next time.
function isTooLate(role: StaticRole, now: number): boolean {
  return role.rotationSchedule !== '' && role.rotationWindow > 0 && now > role.dueTime + role.rotationWindow;
}
