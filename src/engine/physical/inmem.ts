import { assertKeys, children, type ListOptions, type Physical, type PhysicalOperation } from './physical.ts';

export interface Inmem extends Physical {
  /** Everything held, as one batch: what was built here can be applied to another backend atomically. */
  dump(): PhysicalOperation[];
}

/** Keeps everything in memory: for tests, development and staging; nothing survives the process. */
export function createInmem(): Inmem {
  const entries = new Map<string, Uint8Array>();
  return {
    type: 'inmem',
    get: (key) => {
      const value = entries.get(key);
      return Promise.resolve(value === undefined ? undefined : Uint8Array.from(value));
    },
    write: (operations: readonly PhysicalOperation[]) => {
      try {
        assertKeys(operations);
      } catch (error) {
        return Promise.reject(error as Error);
      }
      for (const operation of operations) {
        if (operation.type === 'put') entries.set(operation.key, Uint8Array.from(operation.value));
        else entries.delete(operation.key);
      }
      return Promise.resolve();
    },
    list: (prefix, options?: ListOptions) => {
      const keys = [...entries.keys()].filter((key) => key.startsWith(prefix)).toSorted(byteOrder);
      const names = children(prefix, keys);
      const { after, limit } = options ?? {};
      const rest = after === undefined ? names : names.filter((name) => byteOrder(name, after) > 0);
      return Promise.resolve(limit === undefined ? rest : rest.slice(0, limit));
    },
    close: () => Promise.resolve(),
    dump: () => [...entries].map(([key, value]) => ({ type: 'put', key, value })),
  };
}

function byteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
