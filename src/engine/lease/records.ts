import type { JsonObject } from '../../lib/json.ts';
import { createExpiryIndex, type Due, type ExpiryIndex } from '../logical/expiry-index.ts';
import { getJson, jsonPut, names, type Storage, type StorageOperation } from '../logical/storage.ts';

/** A lease as it is stored; times are seconds since the epoch. */
export interface Lease {
  /** `<path of the request>/<key>`. */
  readonly id: string;
  /** The random end of the id: its name in the indexes. */
  readonly key: string;
  /** Accessor of the mount that gave the secret. */
  readonly mount: string;
  /** Hash of the token that it ends with; empty for none. */
  readonly token: string;
  /** Of a batch token: no renewal goes beyond it; 0 for none. */
  readonly tokenExpireTime: number;
  readonly internal: JsonObject;
  readonly issueTime: number;
  readonly expireTime: number;
  readonly lastRenewal: number;
  readonly renewable: boolean;
  /** When the sweeper comes for it: the end, or the next try of a failed revocation; 0 is never. */
  readonly dueTime: number;
  readonly failures: number;
  /** Why it was given up; only of irrevocable leases. */
  readonly error?: string;
}

/** Leases in storage with their indexes by path, token and time; each change is one atomic write. */
export class LeaseRecords {
  readonly #storage: Storage;
  readonly #expiry: ExpiryIndex;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#expiry = createExpiryIndex(storage);
  }

  byKey(key: string): Promise<Lease | undefined> {
    return getJson<Lease>(this.#storage, `lease/${key}`);
  }

  async byId(id: string): Promise<Lease | undefined> {
    const lease = await this.byKey(id.slice(id.lastIndexOf('/') + 1));
    return lease?.id === id ? lease : undefined;
  }

  add(lease: Lease): Promise<void> {
    return this.#storage.write([
      jsonPut(`lease/${lease.key}`, lease),
      ...indexes(lease).map((key) => ({ type: 'put', key, value: new Uint8Array() }) as const),
      ...this.#expiry.set(lease.key, 0, lease.dueTime),
    ]);
  }

  /** Writes the indexes that lead to a lease and are missing. */
  async mend(lease: Lease): Promise<void> {
    const missing: StorageOperation[] = [];
    for (const key of indexes(lease))
      if ((await this.#storage.get(key)) === undefined)
        missing.push({ type: 'put', key, value: new Uint8Array() });
    if (lease.dueTime !== 0 && !(await this.#expiry.has(lease.key, lease.dueTime)))
      missing.push(...this.#expiry.set(lease.key, 0, lease.dueTime));
    if (missing.length > 0) await this.#storage.write(missing);
  }

  replace(before: Lease, after: Lease): Promise<void> {
    return this.#storage.write([
      jsonPut(`lease/${after.key}`, after),
      ...this.#expiry.set(after.key, before.dueTime, after.dueTime),
      ...irrevocable(before, after),
    ]);
  }

  remove(lease: Lease): Promise<void> {
    return this.#storage.write([
      { type: 'delete', key: `lease/${lease.key}` },
      ...indexes(lease).map((key) => ({ type: 'delete', key }) as const),
      ...this.#expiry.set(lease.key, lease.dueTime, 0),
      ...irrevocable(lease, undefined),
    ]);
  }

  /** Leases whose time has come, by their keys, the soonest first. */
  due(now: number): Promise<Due[]> {
    return this.#expiry.due(now);
  }

  /** Children of a prefix, as LIST shows them. */
  list(prefix: string): Promise<string[]> {
    return this.#storage.list(`path/${prefix}`);
  }

  /** Keys of all leases. */
  all(): AsyncIterable<string> {
    return names(this.#storage, 'lease/');
  }

  async *ofToken(token: string): AsyncGenerator<string> {
    yield* names(this.#storage, `token/${token}/`);
  }

  async *givenUp(): AsyncGenerator<string> {
    yield* names(this.#storage, 'irrevocable/');
  }

  /** Removes an entry of the index of times that leads to no lease, or to one with another time. */
  dropDue({ id, time }: Due): Promise<void> {
    return this.#storage.write(this.#expiry.set(id, time, 0));
  }

  /** Keys of everything below a path that ends in a slash. */
  async *below(prefix: string): AsyncGenerator<string> {
    for await (const name of names(this.#storage, `path/${prefix}`)) {
      if (name.endsWith('/')) yield* this.below(prefix + name);
      else yield name;
    }
  }
}

// Beside the index of times.
function indexes(lease: Lease): string[] {
  return [`path/${lease.id}`, ...(lease.token === '' ? [] : [`token/${lease.token}/${lease.key}`])];
}

function irrevocable(before: Lease, after: Lease | undefined): StorageOperation[] {
  const key = `irrevocable/${before.key}`;
  if (after?.error !== undefined) return [{ type: 'put', key, value: new Uint8Array() }];
  return before.error === undefined ? [] : [{ type: 'delete', key }];
}
