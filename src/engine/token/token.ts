import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { Cached } from '../../lib/cached.ts';
import type { Clock } from '../../lib/clock.ts';
import type { KeyRandom } from '../../lib/key-random.ts';
import { KeyedMutex } from '../../lib/keyed-mutex.ts';
import type { Random } from '../../lib/random.ts';
import { type ExpiryIndex, createExpiryIndex } from '../logical/expiry-index.ts';
import type { NewToken, TokenEntry } from '../logical/request.ts';
import { getJson, jsonPut, names, type Storage, type StorageOperation } from '../logical/storage.ts';
import { isBatchToken, openBatchToken, sealBatchToken, type TokenCipher } from './batch.ts';
import { accessorKey, keptSegments, PATH_LIMIT, pathFolder, tokenDeletes, tokenPuts } from './layout.ts';
import { tidyTokens } from './tidy.ts';

/**
 * Service tokens: issued, looked up by a salted hash, renewed, revoked with all their children. Batch tokens: issued
 * and read, and no more, since they are nowhere but in their text.
 *
 * I1  The text of a token is nowhere at rest: entries, indexes and the cubbyhole are named by HMAC-SHA256(salt, token).
 * I2  A token is created, renewed or removed with its indexes (accessor, parent, path, expiry) in one atomic write.
 * I3  An expired or used-up token is refused at once, whether or not the sweeper has been there.
 * I4  Revoking a token revokes its descendants; orphans have no parent.
 * I5  A batch token is good while its time runs and its parent, if it has one, is good.
 * I6  An entry is only written by whoever holds its hash alone and has read it since: a token that is gone stays gone.
 * I7  A revocation refuses the token first, and then its children: a token that is being revoked makes no child.
 */
export interface IssuedToken {
  readonly text: string;
  readonly entry: TokenEntry;
}

const CACHE_SIZE = 20_000;
const PAGE = 500;
const AT_ONCE = 16;

export class TokenStore {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #rootRandom: KeyRandom;
  readonly #salt: KeyObject;
  readonly #cipher: TokenCipher;
  readonly #expiry: ExpiryIndex;
  readonly #cache = new Cached<TokenEntry>(CACHE_SIZE);
  readonly #turns = new KeyedMutex();
  /** Hashes of tokens that are being revoked at this moment. */
  readonly #leaving = new Set<string>();
  readonly #onRevoke: (hash: string) => Promise<void>;
  #tidying: Promise<void> | undefined;

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
    const entry = this.#cache.peek(hash) ?? (await this.#cache.get(hash, () => this.#read(hash)));
    if (entry === undefined || this.#leaving.has(hash)) return undefined;
    const expired = entry.expireTime !== 0 && entry.expireTime <= this.#now();
    return expired || entry.numUses < 0 ? undefined : entry;
  }

  async byAccessor(accessor: string): Promise<TokenEntry | undefined> {
    if (accessor === '') return undefined;
    const index = await getJson<{ hash: string }>(this.#storage, accessorKey(this.hash(accessor)));
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
    const now = this.#now();
    const { id: chosen, ttl, ...rest } = request;
    if (hash === rest.parent) return undefined;
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
    const store = async (): Promise<IssuedToken | undefined> => {
      if (chosen !== undefined && (await this.#read(hash)) !== undefined) return undefined;
      await this.#storage.write(tokenPuts(entry, this.hash(entry.accessor), this.#expiry));
      this.#cache.set(hash, entry);
      return { text, entry };
    };
    const claim = (): Promise<IssuedToken | undefined> =>
      chosen === undefined ? store() : this.#turns.run(hash, store);
    if (rest.parent === '') return claim();
    // A revocation of the parent waits for the children that are being made, and then makes all later ones fail.
    return this.#turns.share(rest.parent, async () =>
      (await this.byHash(rest.parent)) === undefined ? undefined : claim(),
    );
  }

  /** Sets a new expiry. @returns undefined when the token is gone */
  renew({ hash }: TokenEntry, ttl: number): Promise<TokenEntry | undefined> {
    return this.#turns.run(hash, async () => {
      const entry = await this.byHash(hash);
      if (entry === undefined) return undefined;
      const now = this.#now();
      const renewed: TokenEntry = { ...entry, expireTime: now + ttl, lastRenewal: now };
      await this.#replace(renewed, this.#expiry.set(hash, entry.expireTime, renewed.expireTime));
      return renewed;
    });
  }

  /** Counts one use of a limited token. @returns false when none was left */
  async use({ hash, numUses }: TokenEntry): Promise<boolean> {
    if (numUses === 0) return true;
    return this.#turns.run(hash, async () => {
      const entry = await this.byHash(hash);
      if (entry === undefined) return false;
      await this.#replace({ ...entry, numUses: entry.numUses === 1 ? -1 : entry.numUses - 1 }, []);
      return true;
    });
  }

  /** Removes a token and everything below it. */
  async revoke(hash: string): Promise<void> {
    await this.#revokeIf(hash, () => true);
  }

  /** Removes a token; its children become orphans. */
  async revokeOrphan(hash: string): Promise<void> {
    await this.#turns.run(hash, () =>
      this.#refusing(hash, async () => {
        for (;;) {
          const children = await this.#storage.list(`parent/${hash}/`, { limit: PAGE });
          for (const child of children) await this.#turns.run(child, () => this.#free(hash, child));
          if (children.length < PAGE) break;
        }
        await this.#remove(hash);
      }),
    );
  }

  /** @param id the creation path of a token that expires, and `/h` with its hash: its lease in the API */
  async byLease(id: string): Promise<TokenEntry | undefined> {
    const slash = id.lastIndexOf('/h');
    const path = id.slice(0, slash);
    const entry = await this.#read(id.slice(slash + 2));
    if (entry === undefined || entry.expireTime === 0) return undefined;
    return entry.path === path || pathFolder(entry.path) === path ? entry : undefined;
  }

  /** Children of a prefix of creation paths; tokens that expire are `h` and their hash. */
  leases(prefix: string): Promise<string[]> {
    return this.#storage.list(`path/${prefix}`);
  }

  /** Revokes the tokens that were created below a path, which ends in a slash. */
  async revokePrefix(prefix: string): Promise<void> {
    if (prefix.length <= PATH_LIMIT) await this.#revokeBelow(prefix, '');
    // The folders of long paths keep their first segments only.
    const kept = keptSegments(prefix);
    if (kept !== prefix) await this.#revokeBelow(kept, prefix);
  }

  /** Revokes what has expired. @returns how many tokens were due */
  async sweep(): Promise<number> {
    const due = await this.#expiry.due(this.#now());
    for (const { id, time } of due) {
      // A renewal that came first wins.
      const isDue = (entry: TokenEntry): boolean => entry.expireTime === time;
      if (!(await this.#revokeIf(id, isDue))) await this.#storage.write(this.#expiry.set(id, time, 0));
    }
    return due.length;
  }

  /**
   * Looks at every token and every index: revokes tokens that nothing leads to, whose parent is gone or whose time is
   * over, and mends what is missing. @returns false when that is under way already
   */
  startTidy(): boolean {
    if (this.#tidying !== undefined) return false;
    this.#tidying = this.tidy()
      // What is left is found the next time: the storage is closed, or fails and says so elsewhere.
      .catch(() => undefined)
      .finally(() => {
        this.#tidying = undefined;
      });
    return true;
  }

  /** See startTidy; waits for the end. */
  tidy(): Promise<void> {
    return tidyTokens({
      storage: this.#storage,
      expiry: this.#expiry,
      hash: (text) => this.hash(text),
      revoke: (hash) => this.revoke(hash),
      sweep: () => this.sweep(),
      alone: (hash, work) => this.#turns.run(hash, work),
    });
  }

  // The indexes go in any case: what a crash left of one leads to nothing.
  async #revokeBelow(folder: string, only: string): Promise<void> {
    for await (const name of names(this.#storage, `path/${folder}`)) {
      if (name.endsWith('/')) {
        if (only === '' || name.startsWith('~')) await this.#revokeBelow(folder + name, only);
        continue;
      }
      const hash = name.slice(1);
      const entry = only === '' ? undefined : await this.#read(hash);
      if (entry !== undefined && !`${entry.path}/`.startsWith(only)) continue;
      await this.revoke(hash);
      await this.#storage.delete(`path/${folder}${name}`);
    }
  }

  /** @returns false when the token is gone or `wanted` says no */
  async #revokeIf(hash: string, wanted: (entry: TokenEntry) => boolean): Promise<boolean> {
    const found = await this.#turns.run(hash, async () => {
      const entry = await this.#read(hash);
      if (entry !== undefined && !wanted(entry)) return 'not wanted';
      const [child] = await this.#storage.list(`parent/${hash}/`, { limit: 1 });
      if (child === undefined) {
        await this.#refusing(hash, () => this.#remove(hash));
        return entry === undefined ? 'gone' : 'done';
      }
      if (entry !== undefined) await this.#condemn(entry);
      return 'has children';
    });
    if (found !== 'has children') return found === 'done';
    await this.#revokeChildren(hash);
    await this.#turns.run(hash, () => this.#refusing(hash, () => this.#remove(hash)));
    return true;
  }

  async #revokeChildren(hash: string): Promise<void> {
    for (;;) {
      const children = await this.#storage.list(`parent/${hash}/`, { limit: PAGE });
      for (let offset = 0; offset < children.length; offset += AT_ONCE) {
        const some = children.slice(offset, offset + AT_ONCE);
        await Promise.all(some.map((child) => this.revoke(child)));
      }
      // Also those that lead to nothing.
      if (children.length > 0)
        await this.#storage.write(
          children.map((child) => ({ type: 'delete', key: `parent/${hash}/${child}` })),
        );
      if (children.length < PAGE) return;
    }
  }

  // Good for nothing from now on, also after a crash: the sweeper ends what was begun.
  #condemn(entry: TokenEntry): Promise<void> {
    const now = this.#now();
    const expireTime = entry.expireTime === 0 ? now : Math.min(entry.expireTime, now);
    return this.#replace(
      { ...entry, numUses: -1, expireTime },
      this.#expiry.set(entry.hash, entry.expireTime, expireTime),
    );
  }

  async #free(parent: string, child: string): Promise<void> {
    const entry = await this.#read(child);
    const index: StorageOperation = { type: 'delete', key: `parent/${parent}/${child}` };
    if (entry === undefined) await this.#storage.write([index]);
    else await this.#replace({ ...entry, parent: '', orphan: true }, [index]);
  }

  // By whoever holds the hash alone.
  async #replace(entry: TokenEntry, more: readonly StorageOperation[]): Promise<void> {
    await this.#storage.write([jsonPut(`id/${entry.hash}`, entry), ...more]);
    this.#cache.set(entry.hash, entry);
  }

  async #refusing(hash: string, work: () => Promise<void>): Promise<void> {
    this.#leaving.add(hash);
    try {
      await work();
    } finally {
      this.#leaving.delete(hash);
    }
  }

  // By whoever holds the hash alone. Called again, it clears what a crash left behind.
  async #remove(hash: string): Promise<void> {
    const entry = await this.#read(hash);
    await this.#onRevoke(hash);
    this.#cache.forget(hash);
    if (entry === undefined) return;
    await this.#storage.write(tokenDeletes(entry, this.hash(entry.accessor), this.#expiry));
    this.#cache.forget(hash);
  }

  #read(hash: string): Promise<TokenEntry | undefined> {
    return getJson<TokenEntry>(this.#storage, `id/${hash}`);
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
