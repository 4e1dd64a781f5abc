import { getJson, jsonPut, type Storage } from '../../../logical/storage.ts';

/** Named JSON documents below a prefix. */
export class Documents<T extends object> {
  readonly #storage: Storage;
  readonly #prefix: string;

  constructor(storage: Storage, prefix: string) {
    this.#storage = storage;
    this.#prefix = prefix;
  }

  get(name: string): Promise<T | undefined> {
    return getJson<T>(this.#storage, this.#prefix + name);
  }

  put(name: string, document: T): Promise<void> {
    return this.#storage.write([jsonPut(this.#prefix + name, document)]);
  }

  delete(name: string): Promise<void> {
    return this.#storage.delete(this.#prefix + name);
  }

  names(): Promise<string[]> {
    return this.#storage.list(this.#prefix);
  }

  /** All of them, by name. */
  async entries(): Promise<[string, T][]> {
    const found: [string, T][] = [];
    for (const name of await this.names()) {
      const document = await this.get(name);
      if (document !== undefined) found.push([name, document]);
    }
    return found;
  }
}
