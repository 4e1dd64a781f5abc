import type { Clock } from '../../../lib/clock.ts';
import { Cached } from '../../../lib/cached.ts';
import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import { errorCode } from '../../../lib/errors.ts';
import { type KeyRandom, plainKeyRandom } from '../../../lib/key-random.ts';
import type { Random } from '../../../lib/random.ts';
import { getJson, jsonPut, type Storage } from '../../logical/storage.ts';
import { noManagedKeys, type OpenManagedKey } from '../../logical/managed-key.ts';
import { decodeVersion, type KeyVersion } from './key-version.ts';
import {
  decodePolicy,
  encodeVersions,
  type KeyPolicy,
  rotated,
  type StoredPolicy,
  type StoredVersions,
} from './policy.ts';
import { Refused } from './refused.ts';

const NO_CONFIG: TransitConfig = { disableUpsert: false };

/** Settings of the mount. */
export interface TransitConfig {
  readonly disableUpsert: boolean;
}

/**
 * Named keys: `policy/<name>` has the versions in use, `archive/<name>` those below min_decryption_version. Both change
 * in one atomic write, and parsed keys are kept, so that an operation decodes nothing.
 */
export class KeyStore {
  readonly random: Random;
  /** What keys are made of. */
  readonly keyRandom: KeyRandom;
  /** Keys in HSMs that the mount may use. */
  readonly openManagedKey: OpenManagedKey;
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #mutex = new KeyedMutex();
  readonly #cache = new Map<string, KeyPolicy>();
  readonly #sizes = new Cached<number>(1);
  readonly #configs = new Cached<TransitConfig>(1);

  constructor(
    storage: Storage,
    clock: Clock,
    random: Random,
    keyRandom: KeyRandom = plainKeyRandom(random),
    openManagedKey: OpenManagedKey = noManagedKeys,
  ) {
    this.#storage = storage;
    this.#clock = clock;
    this.random = random;
    this.keyRandom = keyRandom;
    this.openManagedKey = openManagedKey;
  }

  now(): string {
    return new Date(this.#clock.now()).toISOString();
  }

  /** @returns the key, rotated first when its period is over */
  async get(name: string): Promise<KeyPolicy | undefined> {
    const cached = this.#cache.get(name);
    if (cached !== undefined && !this.#isDue(cached)) return cached;
    return this.#mutex.run(name, () => this.#current(name));
  }

  /**
   * Changes a key, one change at a time: what edit returns is saved.
   * @returns the saved key, or the refusal that edit returned
   */
  change(
    name: string,
    edit: (policy: KeyPolicy | undefined) => Promise<KeyPolicy | Refused> | KeyPolicy | Refused,
  ): Promise<KeyPolicy | Refused> {
    return this.#mutex.run(name, async () => {
      const current = await this.#current(name);
      const next = await edit(current);
      return next instanceof Refused || next === current ? next : this.#save(next);
    });
  }

  /** Removes a key with its archive, when check does not refuse. */
  remove(
    name: string,
    check: (policy: KeyPolicy | undefined) => Refused | undefined,
  ): Promise<Refused | undefined> {
    return this.#mutex.run(name, async () => {
      const refused = check(await this.#current(name));
      if (refused !== undefined) return refused;
      await this.#storage.write([
        { type: 'delete', key: `policy/${name}` },
        { type: 'delete', key: `archive/${name}` },
      ]);
      this.#cache.delete(name);
      return undefined;
    });
  }

  list(): Promise<string[]> {
    return this.#storage.list('policy/');
  }

  /** The stored forms of the versions that are no longer in use. */
  async archive(name: string): Promise<StoredVersions> {
    return (await getJson<StoredVersions>(this.#storage, `archive/${name}`)) ?? {};
  }

  /** Writes a key that came from a backup, over one of the same name when that is allowed. */
  restore(stored: StoredPolicy, archive: StoredVersions, force: boolean): Promise<Refused | undefined> {
    const { name } = stored;
    return this.#mutex.run(name, async () => {
      if (!force && (await this.#current(name)) !== undefined)
        return new Refused(`key ${JSON.stringify(name)} already exists`, 500);
      const policy = decodePolicy(stored);
      await this.#storage.write([jsonPut(`policy/${name}`, stored), jsonPut(`archive/${name}`, archive)]);
      this.#remember(policy);
      return undefined;
    });
  }

  async config(): Promise<TransitConfig> {
    const read = (): Promise<TransitConfig | undefined> => getJson(this.#storage, 'config/keys');
    return (await this.#configs.get('keys', async () => (await read()) ?? NO_CONFIG)) ?? NO_CONFIG;
  }

  async setConfig(config: TransitConfig): Promise<void> {
    await this.#storage.write([jsonPut('config/keys', config)]);
    this.#configs.set('keys', config);
  }

  /** How many parsed keys are kept; 0 is without limit. */
  async cacheSize(): Promise<number> {
    const read = (): Promise<{ size: number } | undefined> => getJson(this.#storage, 'config/cache');
    return (await this.#sizes.get('size', async () => (await read())?.size ?? 0)) ?? 0;
  }

  async setCacheSize(size: number): Promise<void> {
    await this.#storage.write([jsonPut('config/cache', { size })]);
    this.#sizes.set('size', size);
    this.#cache.clear();
  }

  // Only inside the key's turn: a read outside of it could put back what a change has just replaced.
  async #current(name: string): Promise<KeyPolicy | undefined> {
    let policy = this.#cache.get(name);
    if (policy === undefined) {
      const stored = await getJson<StoredPolicy>(this.#storage, `policy/${name}`);
      if (stored === undefined) return undefined;
      policy = decodePolicy(stored);
      await this.cacheSize();
      this.#remember(policy);
    }
    if (!this.#isDue(policy)) return policy;
    try {
      const next = await rotated(policy, this.keyRandom, this.now());
      return next instanceof Refused ? policy : this.#save(next);
    } catch (error) {
      // Without the seal's randomness nothing new is made, and what is there goes on.
      if (errorCode(error) === 'ERR_ENTROPY') return policy;
      throw error;
    }
  }

  #isDue(policy: KeyPolicy): boolean {
    if (policy.autoRotatePeriod === 0 || policy.softDeleted) return false;
    if (policy.imported && !policy.allowRotation) return false;
    const latest = policy.versions.get(policy.latestVersion);
    return (
      latest !== undefined && this.#clock.now() >= Date.parse(latest.created) + policy.autoRotatePeriod * 1000
    );
  }

  async #save(policy: KeyPolicy): Promise<KeyPolicy> {
    const { name, minDecryptionVersion, minAvailableVersion } = policy;
    const stored: StoredVersions = { ...(await this.archive(name)), ...encodeVersions(policy.versions) };
    const used: Record<string, StoredVersions[string]> = {};
    const archived: Record<string, StoredVersions[string]> = {};
    const versions = new Map<number, KeyVersion>();
    for (const [key, version] of Object.entries(stored)) {
      const number = Number(key);
      if (number < minAvailableVersion) continue;
      if (number < minDecryptionVersion) archived[key] = version;
      else {
        used[key] = version;
        versions.set(
          number,
          policy.versions.get(number) ?? decodeVersion(version, policy.type, policy.derived),
        );
      }
    }
    await this.#storage.write([
      jsonPut(`policy/${name}`, { ...policy, versions: used } satisfies StoredPolicy),
      Object.keys(archived).length === 0
        ? { type: 'delete', key: `archive/${name}` }
        : jsonPut(`archive/${name}`, archived),
    ]);
    const saved = { ...policy, versions };
    this.#remember(saved);
    return saved;
  }

  #remember(policy: KeyPolicy): void {
    this.#cache.delete(policy.name);
    this.#cache.set(policy.name, policy);
    const limit = this.#sizes.peek('size') ?? 0;
    if (limit === 0 || this.#cache.size <= limit) return;
    const oldest = this.#cache.keys().next();
    if (oldest.done !== true) this.#cache.delete(oldest.value);
  }
}
