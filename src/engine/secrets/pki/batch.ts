import type { Storage, StorageOperation } from '../../logical/storage.ts';

/** Changes that are seen by their maker at once and by everyone else in one atomic write, or never. */
export class Batch implements Storage {
  readonly #base: Storage;
  /** Undefined for what is deleted. */
  readonly #changes = new Map<string, Uint8Array | undefined>();

  constructor(base: Storage) {
    this.#base = base;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.#changes.has(key) ? this.#changes.get(key) : this.#base.get(key);
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    this.#changes.set(key, value);
  }

  async delete(key: string): Promise<void> {
    this.#changes.set(key, undefined);
  }

  async write(operations: readonly StorageOperation[]): Promise<void> {
    for (const operation of operations)
      this.#changes.set(operation.key, operation.type === 'put' ? operation.value : undefined);
  }

  /** Folders that only changes make are not shown: nothing here lists folders. */
  async list(prefix: string, options: Parameters<Storage['list']>[1] = {}): Promise<string[]> {
    const names = new Set(await this.#base.list(prefix));
    for (const [key, value] of this.#changes) {
      const name = key.startsWith(prefix) ? key.slice(prefix.length) : '';
      if (name === '' || name.includes('/')) continue;
      if (value === undefined) names.delete(name);
      else names.add(name);
    }
    const { after = '', limit = Infinity } = options;
    return [...names]
      .toSorted((a, b) => (a < b ? -1 : 1))
      .filter((name) => name > after)
      .slice(0, limit);
  }

  /** Writes all changes, atomically. */
  async commit(): Promise<void> {
    if (this.#changes.size === 0) return;
    await this.#base.write(
      [...this.#changes].map(([key, value]) =>
        value === undefined ? { type: 'delete', key } : { type: 'put', key, value },
      ),
    );
  }
}
