import { SealedVaultError } from '../../lib/errors.ts';
import { KeyedMutex } from '../../lib/keyed-mutex.ts';
import type { Clock } from '../../lib/clock.ts';
import type { KeyRandom } from '../../lib/key-random.ts';
import type { Logger } from '../../lib/log.ts';
import type { Storage, StorageOperation } from '../logical/storage.ts';
import type { Seal } from '../seal/seal.ts';
import { isShamir } from '../seal/shamir.ts';
import { EpochKeys } from './seal-wrap-keys.ts';
import { epochOf, isWrapped, SALT, unwrapValue, wrapValue } from './seal-wrap-record.ts';

/**
 * Seal wrap (Vault Enterprise): critical values get a layer below the barrier whose key only the HSM opens.
 *
 * I1  A write of a critical value takes part with the HSM (its salt comes from there), and fails without it: nothing is
 *     written then, also not what else is in the batch.
 * I2  A read needs the HSM once an epoch: what was read before goes on when the HSM is away.
 * I3  Whether a value is wrapped is seen from the value: mounts, plain or wrapped, stay readable whatever is configured.
 * I4  A rewrap never puts back what was changed meanwhile.
 */
export interface SealWrapPorts {
  /** The barrier. */
  readonly storage: Storage;
  readonly seal: Seal;
  readonly clusterId: string;
  readonly keyRandom: KeyRandom;
  readonly clock: Clock;
  readonly log: Logger;
  /** `disable_sealwrap`: new values are not wrapped. */
  readonly disabled: boolean;
}

/** Where critical values are: a prefix, and below it keys, or prefixes that end in a slash (or are empty: everything). */
export interface SealWrapArea {
  readonly prefix: string;
  readonly critical: readonly string[];
}

/** Where a rewrap stands, or how the last one ended. */
export interface SealWrapStatus {
  readonly running: boolean;
  readonly processed: number;
  readonly succeeded: number;
  readonly failed: number;
}

/** A critical value could not be wrapped. Nothing was written. */
export class SealWrapUnavailable extends SealedVaultError {
  override readonly code = 'ERR_SEAL_WRAP';
}

/** Values that are rewrapped together. */
const AT_ONCE = 16;
const MOST_PAUSE_MS = 100;

/** Of the engine itself: what names tokens and hashes audit entries, and PINs of managed keys. */
const OWN: SealWrapArea = { prefix: 'sys/', critical: ['token/salt', 'audit/salt', 'managed-keys/'] };

export class SealWrap {
  readonly #ports: SealWrapPorts;
  readonly #keys: EpochKeys;
  readonly #turns = new KeyedMutex();
  readonly #stop = new AbortController();
  #status: SealWrapStatus = { running: false, processed: 0, succeeded: 0, failed: 0 };
  #rewrapping: Promise<void> = Promise.resolve();

  constructor(ports: SealWrapPorts) {
    this.#ports = ports;
    this.#keys = new EpochKeys({ ...ports, signal: this.#stop.signal });
  }

  /** Whether new critical values are wrapped. */
  get wraps(): boolean {
    return !this.#ports.disabled && !isShamir(this.#ports.seal);
  }

  /** The barrier, with the critical values of an area wrapped; keys are whole. */
  storage(area: SealWrapArea): Storage {
    const { storage } = this.#ports;
    const write = (operations: readonly StorageOperation[]): Promise<void> =>
      this.#write(operations, ({ key }) => isCritical(area, key));
    return {
      get: async (key) => {
        const value = await storage.get(key);
        return value === undefined ? undefined : this.#unwrap(key, value);
      },
      put: (key, value) => write([{ type: 'put', key, value }]),
      delete: (key) => write([{ type: 'delete', key }]),
      write,
      list: (prefix, options) => storage.list(prefix, options),
    };
  }

  /** The barrier, with the engine's own critical values wrapped. */
  own(): Storage {
    return this.storage(OWN);
  }

  /** The barrier as sys/raw shows it: wrapped values are opened, new ones are written as they are. */
  raw(): Storage {
    return this.storage({ prefix: '', critical: [] });
  }

  status(): SealWrapStatus {
    return this.#status;
  }

  /**
   * Brings keys and values to what is configured: keys of epochs under the HSM's current key, critical values wrapped, or
   * plain where seal wrap is disabled. In the background.
   * @returns false when a rewrap is running already
   */
  startRewrap(areas: readonly SealWrapArea[]): boolean {
    if (this.#status.running) return false;
    this.#status = { running: true, processed: 0, succeeded: 0, failed: 0 };
    this.#rewrapping = this.#rewrap([OWN, ...areas]).finally(() => {
      this.#status = { ...this.#status, running: false };
    });
    return true;
  }

  /** Brings the keys under the HSM's current key; values stay as they are. Never rejects: what fails stays readable. */
  rewrapKeys(): Promise<void> {
    return this.#attempt('the keys of seal wrap', async () => {
      for (const epoch of await this.#keys.epochs())
        await this.#attempt('a key of seal wrap', async () => {
          await this.#keys.rewrap(epoch);
          this.#count(1);
        });
    });
  }

  /** The keys as the HSM sealed them. */
  keyBlobs(): Promise<Uint8Array[]> {
    return this.#keys.blobs();
  }

  /** Resolves when no rewrap runs. */
  idle(): Promise<void> {
    return this.#rewrapping;
  }

  /** Ends a rewrap and forgets the keys. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#rewrapping;
    this.#keys.clear();
  }

  async #unwrap(key: string, value: Uint8Array): Promise<Uint8Array> {
    if (!isWrapped(value)) return value;
    return unwrapValue(await this.#keys.get(epochOf(value)), key, value);
  }

  async #write(
    operations: readonly StorageOperation[],
    critical: (operation: StorageOperation) => boolean,
  ): Promise<void> {
    const { storage } = this.#ports;
    const keys = operations.filter(critical).map(({ key }) => key);
    if (keys.length === 0) {
      await storage.write(operations);
      return;
    }
    await this.#locked(keys, async () => {
      await storage.write(this.wraps ? await this.#wrap(operations, critical) : operations);
    });
  }

  async #wrap(
    operations: readonly StorageOperation[],
    critical: (operation: StorageOperation) => boolean,
  ): Promise<StorageOperation[]> {
    const { seal } = this.#ports;
    const count = operations.filter((each) => each.type === 'put' && critical(each)).length;
    if (count === 0) return [...operations];
    try {
      const active = await this.#keys.active();
      const salts = await seal.random(SALT * count, { signal: this.#stop.signal });
      let next = 0;
      return operations.map((operation) => {
        if (operation.type !== 'put' || !critical(operation)) return operation;
        const salt = salts.subarray(next, next + SALT);
        next += SALT;
        return { ...operation, value: wrapValue(active, operation.key, salt, operation.value) };
      });
    } catch (cause) {
      throw new SealWrapUnavailable('the seal cannot wrap the value, so nothing was written', {
        cause,
        hint: 'the HSM cannot be reached: repair it, or set disable_sealwrap',
      });
    }
  }

  // In a fixed order, so that two batches never wait for each other.
  #locked(keys: readonly string[], work: () => Promise<void>): Promise<void> {
    return [...new Set(keys)]
      .toSorted()
      .reduceRight<() => Promise<void>>((inner, key) => () => this.#turns.run(key, inner), work)();
  }

  async #rewrap(areas: readonly SealWrapArea[]): Promise<void> {
    await this.rewrapKeys();
    for (const { prefix, critical } of areas) {
      for (const pattern of critical) {
        const path = prefix + pattern;
        if (path.endsWith('/')) await this.#attempt('a folder', () => this.#rewrapBelow(path));
        else await this.#rewrapAll([path]);
      }
    }
  }

  async #rewrapBelow(prefix: string): Promise<void> {
    let batch: string[] = [];
    for (const name of await this.#ports.storage.list(prefix)) {
      if (this.#stop.signal.aborted) return;
      if (name.endsWith('/')) await this.#rewrapBelow(prefix + name);
      else batch.push(prefix + name);
      if (batch.length === AT_ONCE) {
        await this.#rewrapAll(batch);
        batch = [];
      }
    }
    await this.#rewrapAll(batch);
  }

  // One call to the HSM and one write for many values; one by one when that fails, so that one does not hold up the others.
  async #rewrapAll(keys: readonly string[]): Promise<void> {
    const { clock } = this.#ports;
    const from = clock.monotonic();
    try {
      await this.#rewrapValues(keys);
    } catch {
      for (const key of keys) await this.#attempt('a value', () => this.#rewrapValues([key]));
    }
    // Whoever waits for an answer meanwhile goes first: half of the time at most is the rewrap's.
    const pause = Math.min(MOST_PAUSE_MS, clock.monotonic() - from);
    await clock.sleep(pause, { signal: this.#stop.signal }).catch(() => undefined);
  }

  #rewrapValues(keys: readonly string[]): Promise<void> {
    return this.#locked(keys, async () => {
      const { storage } = this.#ports;
      const plain: StorageOperation[] = [];
      for (const key of keys) {
        const value = await storage.get(key);
        if (value === undefined || isWrapped(value) === this.wraps) continue;
        plain.push({ type: 'put', key, value: await this.#unwrap(key, value) });
      }
      if (plain.length === 0) return;
      await storage.write(this.wraps ? await this.#wrap(plain, () => true) : plain);
      this.#count(plain.length);
    });
  }

  #count(done: number): void {
    const { processed, succeeded } = this.#status;
    this.#status = { ...this.#status, processed: processed + done, succeeded: succeeded + done };
  }

  // One that fails does not keep the others from their turn.
  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    if (this.#stop.signal.aborted) return;
    try {
      await work();
    } catch (err) {
      const { processed, failed } = this.#status;
      if (failed === 0) this.#ports.log.warn({ err }, `seal wrap: ${what} could not be rewrapped`);
      this.#status = { ...this.#status, processed: processed + 1, failed: failed + 1 };
    }
  }
}

function isCritical({ prefix, critical }: SealWrapArea, key: string): boolean {
  if (!key.startsWith(prefix)) return false;
  const rest = key.slice(prefix.length);
  return critical.some((each) => (each === '' || each.endsWith('/') ? rest.startsWith(each) : rest === each));
}
