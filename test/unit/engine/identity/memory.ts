import type { Storage } from '../../../../src/engine/logical/storage.ts';
import { children } from '../../../../src/engine/physical/physical.ts';

/** A storage in a map that counts what is read. */
export class Memory implements Storage {
  readonly entries: Map<string, Uint8Array> = new Map();
  reads = 0;

  async get(key: string): Promise<Uint8Array | undefined> {
    this.reads += 1;
    return this.entries.get(key);
  }
  async put(key: string, value: Uint8Array): Promise<void> {
    this.entries.set(key, value);
  }
  async delete(key: string): Promise<void> {
    this.entries.delete(key);
  }
  async write(operations: Parameters<Storage['write']>[0]): Promise<void> {
    await Promise.resolve();
    for (const operation of operations) {
      if (operation.type === 'put') this.entries.set(operation.key, operation.value);
      else this.entries.delete(operation.key);
    }
  }
  async list(prefix: string, options: Parameters<Storage['list']>[1] = {}): Promise<string[]> {
    const { after = '', limit = Infinity } = options;
    this.reads += 1;
    const keys = [...this.entries.keys()].filter((key) => key.startsWith(prefix)).toSorted();
    return children(prefix, keys)
      .filter((name) => name > after)
      .slice(0, limit);
  }
}
