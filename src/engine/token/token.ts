import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { BoundedMap } from '../../lib/bounded-map.ts';
import type { Clock } from '../../lib/clock.ts';
import type { KeyRandom } from '../../lib/key-random.ts';
import type { Random } from '../../lib/random.ts';
import type { NewToken, TokenEntry } from '../logical/request.ts';
import { getJson, jsonPut, type Storage, type StorageOperation } from '../logical/storage.ts';
import { type ExpiryIndex, createExpiryIndex } from '../logical/expiry-index.ts';
import { isBatchToken, openBatchToken, sealBatchToken, type TokenCipher } from './batch.ts';

/**
 * Service tokens: issued, looked up by a salted hash, renewed, revoked with all their children. Batch tokens: issued
 * and read, and no more, since they are nowhere but in their text.
 *
 * I1  The text of a token is nowhere at rest: entries, indexes and the cubbyhole are named by HMAC-SHA256(salt, token).
 * I2  A token is created, renewed or removed with its indexes (accessor, parent, path, expiry) in one atomic write.
 * I3  An expired or used-up token is refused at once, whether or not the sweeper has been there.
 * I4  Revoking a token revokes its descendants; orphans have no parent.
 * I5  A batch token is good while its time runs and its parent, if it has one, is good.
 */
export interface IssuedToken {
  readonly text: string;
  readonly entry: TokenEntry;
}

const CACHE_SIZE = 20_000;
// What is longer cannot be a key of the storage.
const INDEXED_PATH = 500;

export class TokenStore {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #rootRandom: KeyRandom;
  readonly #salt: KeyObject;
  readonly #cipher: TokenCipher;
  readonly #expiry: ExpiryIndex;
  readonly #cache = new BoundedMap<string, TokenEntry>(CACHE_SIZE);
  readonly #onRevoke: (hash: string) => Promise<void>;
  // Uses are counted one after the other, so that a token with one use left serves one request.
  #uses: Promise<unknown> = Promise.resolve();

  private constructor(options: TokenStoreOptions, salt: Uint8Array) {
    this.#storage = options.storage;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#rootRandom = options.rootRandom;
    this.#onRevoke = options.onRevoke;
    this.#cipher = options.cipher;
    this.#salt = createSecretKey(salt);
    this.#expiry = createExpiryIndex(options.storage);
  }

  /** Opens the store; makes its salt the first time. */
  static async open(options: TokenStoreOptions): Promise<TokenStore> {
    let salt = await options.storage.get('salt');
    if (salt === undefined) {
      salt = options.random.bytes(32);
      await options.storage.put('salt', salt);
    }
    return new TokenStore(options, salt);
  }

  /** The name of a token or an accessor at rest. */
  hash(text: string): string {
    return createHmac('sha256', this.#salt).update(text).digest('hex');
  }

  /** @returns the entry of a token that may be used now. */
  async lookup(text: string): Promise<TokenEntry | undefined> {
    if (text === '') return undefined;
    return isBatchToken(text) ? this.#openBatch(text) : this.byHash(this.hash(text));
  }

  async byHash(hash: string): Promise<TokenEntry | undefined> {
    let entry = this.#cache.get(hash);
    if (entry === undefined) {
      entry = await getJson<TokenEntry>(this.#storage, `id/${hash}`);
      if (entry === undefined) return undefined;
      this.#cache.set(entry.hash, entry);
    }
    const expired = entry.expireTime !== 0 && entry.expireTime <= this.#now();
    return expired || entry.numUses < 0 ? undefined : entry;
  }

  async byAccessor(accessor: string): Promise<TokenEntry | undefined> {
    if (accessor === '') return undefined;
    const index = await getJson<{ hash: string }>(this.#storage, `accessor/${this.hash(accessor)}`);
    return index === undefined ? undefined : this.byHash(index.hash);
  }

  async accessors(): Promise<string[]> {
    const found: string[] = [];
    for (const name of await this.#storage.list('accessor/')) {
      const index = await getJson<{ hash: string; accessor: string }>(this.#storage, `accessor/${name}`);
      if (index !== undefined && (await this.byHash(index.hash)) !== undefined) found.push(index.accessor);
    }
    return found;
  }

  /** @returns undefined when a chosen id is taken, or the parent was revoked meanwhile */
  async create(request: NewToken): Promise<IssuedToken | undefined> {
    if (request.type === 'batch') return this.#createBatch(request);
    const root = request.id === undefined && request.policies.includes('root');
    if (root) await this.#rootRandom.ready();
    const text = request.id ?? `hvs.${(root ? this.#rootRandom : this.#random).base62(24)}`;
    const hash = this.hash(text);
    if (request.id !== undefined && (await this.#storage.get(`id/${hash}`)) !== undefined) return undefined;
    const now = this.#now();
    const { id: _id, ttl, ...rest } = request;
    const entry: TokenEntry = {
      ...rest,
      hash,
      accessor: this.#random.base62(24),
      creationTime: now,
      creationTtl: ttl,
      expireTime: ttl === 0 ? 0 : now + ttl,
      lastRenewal: 0,
      type: 'service',
    };
    await this.#storage.write([
      jsonPut(`id/${hash}`, entry),
      jsonPut(`accessor/${this.hash(entry.accessor)}`, { hash, accessor: entry.accessor }),
      ...(entry.parent === '' ? [] : [jsonPut(`parent/${entry.parent}/${hash}`, {})]),
      ...(isIndexed(entry) ? [jsonPut(pathKey(entry), {})] : []),
      ...this.#expiry.set(hash, 0, entry.expireTime),
    ]);
    this.#cache.set(entry.hash, entry);
    if (entry.parent !== '' && (await this.#storage.get(`id/${entry.parent}`)) === undefined) {
      await this.revoke(hash);
      return undefined;
    }
    return { text, entry };
  }

  /** Sets a new expiry. */
  async renew(entry: TokenEntry, ttl: number): Promise<TokenEntry> {
    const now = this.#now();
    const renewed: TokenEntry = { ...entry, expireTime: now + ttl, lastRenewal: now };
    await this.#storage.write([
      jsonPut(`id/${entry.hash}`, renewed),
      ...this.#expiry.set(entry.hash, entry.expireTime, renewed.expireTime),
    ]);
    this.#cache.set(renewed.hash, renewed);
    return renewed;
  }

  /** Counts one use of a limited token. @returns false when none was left */
  async use(entry: TokenEntry): Promise<boolean> {
    if (entry.numUses === 0) return true;
    const turn = this.#uses.then(async () => {
      const current = await this.byHash(entry.hash);
      if (current === undefined) return false;
      const used: TokenEntry = { ...current, numUses: current.numUses === 1 ? -1 : current.numUses - 1 };
      await this.#storage.write([jsonPut(`id/${entry.hash}`, used)]);
      this.#cache.set(used.hash, used);
      return true;
    });
    this.#uses = turn.catch(() => undefined);
    return turn;
  }

  /** Removes a token and everything below it. */
  async revoke(hash: string): Promise<void> {
    for (const child of await this.#storage.list(`parent/${hash}/`)) await this.revoke(child);
    await this.#remove(hash, []);
  }

  /** Removes a token; its children become orphans. */
  async revokeOrphan(hash: string): Promise<void> {
    const freed: StorageOperation[] = [];
    for (const child of await this.#storage.list(`parent/${hash}/`)) {
      const entry = await getJson<TokenEntry>(this.#storage, `id/${child}`);
      this.#cache.delete(child);
      if (entry !== undefined) freed.push(jsonPut(`id/${child}`, { ...entry, parent: '', orphan: true }));
      freed.push({ type: 'delete', key: `parent/${hash}/${child}` });
    }
    await this.#remove(hash, freed);
  }

  /** @param id the creation path of a token that expires, and `/h` with its hash: its lease in the API */
  async byLease(id: string): Promise<TokenEntry | undefined> {
    const slash = id.lastIndexOf('/h');
    const entry = await getJson<TokenEntry>(this.#storage, `id/${id.slice(slash + 2)}`);
    return entry !== undefined && isIndexed(entry) && entry.path === id.slice(0, slash) ? entry : undefined;
  }

  /** Children of a prefix of creation paths; tokens that expire are `h` and their hash. */
  leases(prefix: string): Promise<string[]> {
    return this.#storage.list(`path/${prefix}`);
  }

  /** Revokes the tokens that were created below a path, which ends in a slash. */
  async revokePrefix(prefix: string): Promise<void> {
    for (;;) {
      const names = await this.#storage.list(`path/${prefix}`, { limit: 500 });
      for (const name of names) {
        if (name.endsWith('/')) await this.revokePrefix(prefix + name);
        else {
          await this.revoke(name.slice(1));
          // Also what a crash left behind; the index goes in any case, and so this ends.
          await this.#storage.delete(`path/${prefix}${name}`);
        }
      }
      if (names.length < 500) return;
    }
  }

  /** Revokes what has expired. @returns how many tokens */
  async sweep(): Promise<number> {
    const due = await this.#expiry.due(this.#now());
    for (const hash of due) await this.revoke(hash);
    return due.length;
  }

  async #remove(hash: string, more: readonly StorageOperation[]): Promise<void> {
    const entry = await getJson<TokenEntry>(this.#storage, `id/${hash}`);
    this.#cache.delete(hash);
    await this.#onRevoke(hash);
    if (entry === undefined) {
      if (more.length > 0) await this.#storage.write(more);
      return;
    }
    await this.#storage.write([
      ...more,
      { type: 'delete', key: `id/${hash}` },
      { type: 'delete', key: `accessor/${this.hash(entry.accessor)}` },
      ...(entry.parent === '' ? [] : [{ type: 'delete', key: `parent/${entry.parent}/${hash}` } as const]),
      ...(isIndexed(entry) ? [{ type: 'delete', key: pathKey(entry) } as const] : []),
      ...this.#expiry.set(hash, entry.expireTime, 0),
    ]);
    this.#cache.delete(hash);
  }

  async #createBatch({ id: _id, ttl, type: _type, ...rest }: NewToken): Promise<IssuedToken | undefined> {
    if (rest.parent !== '' && (await this.byHash(rest.parent)) === undefined) return undefined;
    const now = this.#now();
    const sealed = {
      ...rest,
      accessor: '',
      creationTime: now,
      creationTtl: ttl,
      expireTime: now + ttl,
      lastRenewal: 0,
      numUses: 0,
      renewable: false,
      type: 'batch',
    } as const;
    const text = sealBatchToken(this.#cipher, sealed);
    return { text, entry: { ...sealed, hash: this.hash(text) } };
  }

  async #openBatch(text: string): Promise<TokenEntry | undefined> {
    const opened = openBatchToken(this.#cipher, text);
    if (opened === undefined || opened.expireTime <= this.#now()) return undefined;
    if (opened.parent !== '' && (await this.byHash(opened.parent)) === undefined) return undefined;
    return { ...opened, hash: this.hash(text) };
  }

  #now(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}

export interface TokenStoreOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  /** What root tokens are made of. */
  readonly rootRandom: KeyRandom;
  readonly cipher: TokenCipher;
  /** Clears what belongs to a token (its cubbyhole, its leases) before the token is gone. May be called again after a crash. */
  readonly onRevoke: (hash: string) => Promise<void>;
}

function isIndexed(entry: TokenEntry): boolean {
  return entry.expireTime !== 0 && entry.path.length <= INDEXED_PATH;
}

function pathKey(entry: TokenEntry): string {
  return `path/${entry.path}/h${entry.hash}`;
}
