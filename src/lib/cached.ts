import { BoundedMap } from './bounded-map.ts';

/**
 * A cache in front of a storage. What was read before a change is never kept after it: `set` and `forget` also
 * cancel the fill of every read that is under way.
 */
export class Cached<V> {
  readonly #entries: BoundedMap<string, V>;
  /** The latest read of each key that may still fill the cache. */
  readonly #reads = new Map<string, symbol>();

  /** @param limit entries at most */
  constructor(limit: number) {
    this.#entries = new BoundedMap(limit);
  }

  /** @returns what is kept, without reading */
  peek(key: string): V | undefined {
    return this.#entries.get(key);
  }

  /** @returns what is kept, or what `read` finds; undefined is not kept */
  async get(key: string, read: () => Promise<V | undefined>): Promise<V | undefined> {
    const kept = this.#entries.get(key);
    if (kept !== undefined) return kept;
    const ticket = Symbol();
    this.#reads.set(key, ticket);
    try {
      const found = await read();
      if (found !== undefined && this.#reads.get(key) === ticket) this.#entries.set(key, found);
      return found;
    } finally {
      if (this.#reads.get(key) === ticket) this.#reads.delete(key);
    }
  }

  set(key: string, value: V): void {
    this.#reads.delete(key);
    this.#entries.set(key, value);
  }

  forget(key: string): void {
    this.#reads.delete(key);
    this.#entries.delete(key);
  }
}
