import { Cached } from '../../../lib/cached.ts';
import type { Clock } from '../../../lib/clock.ts';
import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import { type JsonObject, parseJson } from '../../../lib/json.ts';
import { text } from '../../../lib/bytes.ts';
import type { Random } from '../../../lib/random.ts';
import type { Page } from '../../logical/page.ts';
import { getJson, jsonPut, type Storage, type StorageOperation } from '../../logical/storage.ts';

/** Settings of a mount; durations in seconds. */
export interface KvConfig {
  readonly maxVersions: number;
  readonly casRequired: boolean;
  readonly metadataCasRequired: boolean;
  readonly deleteVersionAfter: number;
}

export interface VersionState {
  readonly createdTime: string;
  /** RFC 3339; may lie in the future. Empty: not deleted. */
  readonly deletionTime: string;
  readonly destroyed: boolean;
}

/** All that is known of a key but its values. */
export interface KeyMetadata {
  /** Names the folder of the values. */
  readonly id: string;
  readonly currentVersion: number;
  readonly oldestVersion: number;
  readonly createdTime: string;
  readonly updatedTime: string;
  readonly maxVersions: number;
  readonly casRequired: boolean;
  readonly metadataCasRequired: boolean;
  readonly deleteVersionAfter: number;
  readonly customMetadata: Readonly<Record<string, string>> | null;
  readonly currentMetadataVersion: number;
  readonly versions: Readonly<Record<string, VersionState>>;
}

const DEFAULT_MAX_VERSIONS = 10;
const CACHE_SIZE = 10_000;
const CONFIG = 'config';
export const defaultConfig: KvConfig = {
  maxVersions: 0,
  casRequired: false,
  metadataCasRequired: false,
  deleteVersionAfter: 0,
};

/** Versioned values: `metadata/<path>` and `versions/<id>/<n>`; a version and its metadata change in one atomic write. */
export class KvStore {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #mutex = new KeyedMutex();
  readonly #cache = new Cached<KeyMetadata>(CACHE_SIZE);
  readonly #configs = new Cached<KvConfig>(1);

  constructor(storage: Storage, clock: Clock, random: Random) {
    this.#storage = storage;
    this.#clock = clock;
    this.#random = random;
  }

  async config(): Promise<KvConfig> {
    const read = (): Promise<KvConfig | undefined> => getJson<KvConfig>(this.#storage, CONFIG);
    return (await this.#configs.get(CONFIG, async () => (await read()) ?? defaultConfig)) ?? defaultConfig;
  }

  async setConfig(config: KvConfig): Promise<void> {
    await this.#storage.write([jsonPut(CONFIG, config)]);
    this.#configs.set(CONFIG, config);
  }

  /** One change of a key at a time. */
  exclusive<T>(path: string, work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(path, work);
  }

  metadata(path: string): Promise<KeyMetadata | undefined> {
    return this.#cache.get(path, () => getJson<KeyMetadata>(this.#storage, `metadata/${path}`));
  }

  list(path: string, page: Page = {}): Promise<string[]> {
    const prefix = path === '' || path.endsWith('/') ? path : `${path}/`;
    return this.#storage.list(`metadata/${prefix}`, page);
  }

  async value(metadata: KeyMetadata, version: number): Promise<JsonObject | undefined> {
    const bytes = await this.#storage.get(`versions/${metadata.id}/${version}`);
    return bytes === undefined ? undefined : (parseJson(text(bytes)) as JsonObject);
  }

  /** Metadata of a key that does not exist yet. */
  fresh(): KeyMetadata {
    const now = this.now();
    return {
      id: this.#random.uuid(),
      currentVersion: 0,
      oldestVersion: 0,
      createdTime: now,
      updatedTime: now,
      maxVersions: 0,
      casRequired: false,
      metadataCasRequired: false,
      deleteVersionAfter: 0,
      customMetadata: null,
      currentMetadataVersion: 0,
      versions: {},
    };
  }

  /** Adds a version and drops what is beyond the limit. Call inside exclusive. */
  async addVersion(path: string, metadata: KeyMetadata, value: JsonObject): Promise<KeyMetadata> {
    const config = await this.config();
    const version = metadata.currentVersion + 1;
    const createdTime = this.now();
    const after = shorter(config.deleteVersionAfter, metadata.deleteVersionAfter);
    const deletionTime = after > 0 ? new Date(this.#clock.now() + after * 1000).toISOString() : '';
    const versions: Record<string, VersionState> = {
      ...metadata.versions,
      [version]: { createdTime, deletionTime, destroyed: false },
    };
    const limit = metadata.maxVersions || config.maxVersions || DEFAULT_MAX_VERSIONS;
    const dropped: StorageOperation[] = [];
    for (const name of Object.keys(versions)) {
      if (Number(name) > version - limit) continue;
      delete versions[name];
      dropped.push({ type: 'delete', key: `versions/${metadata.id}/${name}` });
    }
    const next: KeyMetadata = {
      ...metadata,
      currentVersion: version,
      oldestVersion: version > limit ? version - limit + 1 : metadata.oldestVersion,
      createdTime:
        metadata.currentVersion === 0 && Object.keys(metadata.versions).length === 0
          ? createdTime
          : metadata.createdTime,
      updatedTime: createdTime,
      versions,
    };
    await this.#storage.write([
      jsonPut(`metadata/${path}`, next),
      jsonPut(`versions/${next.id}/${version}`, value),
      ...dropped,
    ]);
    this.#cache.set(path, next);
    return next;
  }

  /** Replaces the metadata, with the removal of values in the same write. Call inside exclusive. */
  async saveMetadata(path: string, metadata: KeyMetadata, destroyed: readonly number[] = []): Promise<void> {
    await this.#storage.write([
      jsonPut(`metadata/${path}`, metadata),
      ...destroyed.map((version) => ({ type: 'delete', key: `versions/${metadata.id}/${version}` }) as const),
    ]);
    this.#cache.set(path, metadata);
  }

  /** Removes a key with all its versions. Call inside exclusive. */
  async remove(path: string, metadata: KeyMetadata): Promise<void> {
    await this.#storage.write([
      { type: 'delete', key: `metadata/${path}` },
      ...Object.keys(metadata.versions).map(
        (version) => ({ type: 'delete', key: `versions/${metadata.id}/${version}` }) as const,
      ),
    ]);
    this.#cache.forget(path);
  }

  now(): string {
    return new Date(this.#clock.now()).toISOString();
  }

  /** @returns whether a version's value may not be read (any more). */
  isGone(state: VersionState): boolean {
    return (
      state.destroyed || (state.deletionTime !== '' && Date.parse(state.deletionTime) <= this.#clock.now())
    );
  }
}

// 0 is no limit; a key cannot outlive its mount's limit. A negative one of the mount turns those of its keys off.
function shorter(ofMount: number, ofKey: number): number {
  if (ofMount < 0) return 0;
  if (ofMount === 0) return Math.max(ofKey, 0);
  return ofKey <= 0 ? ofMount : Math.min(ofMount, ofKey);
}
