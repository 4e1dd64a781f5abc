import { createSecretKey, type KeyObject } from 'node:crypto';
import { getJson, jsonPut, type Storage } from '../../logical/storage.ts';
import { decodeBase32 } from '../../../lib/totp/base32.ts';
import type { CodeShape } from '../../../lib/totp/code.ts';

/** A key as it is stored. */
export interface StoredKey extends CodeShape {
  /** Base32. */
  readonly key: string;
  readonly issuer: string;
  readonly accountName: string;
  /** Periods before and after the current one in which a code is still good: 0 or 1. */
  readonly skew: number;
}

/** A key in use: its secret is a native handle. */
export interface TotpKey extends Omit<StoredKey, 'key'> {
  readonly secret: KeyObject;
}

/** Named keys at `key/<name>`, and the codes that were presented and are not good again. */
export class TotpStore {
  readonly #storage: Storage;
  /** Key name and code → when it may be forgotten, in seconds. */
  readonly #used = new Map<string, number>();

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  async get(name: string): Promise<TotpKey | undefined> {
    const stored = await getJson<StoredKey>(this.#storage, `key/${name}`);
    if (stored === undefined) return undefined;
    const { key, ...rest } = stored;
    const bytes = decodeBase32(key);
    if (typeof bytes === 'number') throw new TypeError('a stored key is not base32');
    const secret = createSecretKey(bytes);
    bytes.fill(0);
    return { ...rest, secret };
  }

  put(name: string, key: StoredKey): Promise<void> {
    return this.#storage.write([jsonPut(`key/${name}`, key)]);
  }

  delete(name: string): Promise<void> {
    return this.#storage.delete(`key/${name}`);
  }

  list(): Promise<string[]> {
    return this.#storage.list('key/');
  }

  /**
   * Notes that a code was presented, until it could not be good any more.
   * @returns whether it was presented before
   */
  use(name: string, code: string, now: number, until: number): boolean {
    for (const [key, forget] of this.#used) {
      if (forget > now) break;
      this.#used.delete(key);
    }
    const key = `${name}\0${code}`;
    if ((this.#used.get(key) ?? 0) > now) return true;
    this.#used.delete(key);
    this.#used.set(key, until);
    return false;
  }
}
