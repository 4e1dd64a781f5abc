import type { JsonObject } from '../../lib/json.ts';
import { createExpiryIndex, type ExpiryIndex } from '../logical/expiry-index.ts';
import { getJson, jsonPut, type Storage, type StorageOperation } from '../logical/storage.ts';

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

const PAGE = 500;

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
      { type: 'put', key: `path/${lease.id}`, value: new Uint8Array() },
      ...(lease.token === ''
        ? []
        : [{ type: 'put', key: `token/${lease.token}/${lease.key}`, value: new Uint8Array() } as const]),
      ...this.#expiry.set(lease.key, 0, lease.dueTime),
    ]);
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
      { type: 'delete', key: `path/${lease.id}` },
      ...(lease.token === '' ? [] : [{ type: 'delete', key: `token/${lease.token}/${lease.key}` } as const]),
      ...this.#expiry.set(lease.key, lease.dueTime, 0),
      ...irrevocable(lease, undefined),
    ]);
  }

  /** Keys whose time has come, the soonest first. */
  due(now: number): Promise<string[]> {
    return this.#expiry.due(now);
  }

  /** Children of a prefix, as LIST shows them. */
  list(prefix: string): Promise<string[]> {
    return this.#storage.list(`path/${prefix}`);
  }

  async *ofToken(token: string): AsyncGenerator<string> {
    yield* this.#names(`token/${token}/`);
  }

  async *givenUp(): AsyncGenerator<string> {
    yield* this.#names('irrevocable/');
  }

  /** Keys of everything below a path that ends in a slash. */
  async *below(prefix: string): AsyncGenerator<string> {
    for await (const name of this.#names(`path/${prefix}`)) {
      if (name.endsWith('/')) yield* this.below(prefix + name);
      else yield name;
    }
  }

  // A page at a time, each begun behind the last name: entries may go while they are read.
  async *#names(prefix: string): AsyncGenerator<string> {
    let after: string | undefined;
    for (;;) {
      const names: string[] = await this.#storage.list(prefix, {
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      });
      yield* names;
      after = names.at(-1);
      if (names.length < PAGE) return;
    }
  }
}

function irrevocable(before: Lease, after: Lease | undefined): StorageOperation[] {
  const key = `irrevocable/${before.key}`;
  if (after?.error !== undefined) return [{ type: 'put', key, value: new Uint8Array() }];
  return before.error === undefined ? [] : [{ type: 'delete', key }];
}
