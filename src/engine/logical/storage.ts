import { text, utf8 } from '../../lib/bytes.ts';
import { parseJson, type Json } from '../../lib/json.ts';

/** What a plug-in sees of the barrier: the keys below its own prefix, and no others. */
export interface Storage {
  get(key: string): Promise<Uint8Array | undefined>;
  put(key: string, value: Uint8Array): Promise<void>;
  delete(key: string): Promise<void>;
  /** All or nothing. */
  write(operations: readonly StorageOperation[]): Promise<void>;
  /** Children in byte order; folders end in a slash. */
  list(prefix: string, options?: { readonly after?: string; readonly limit?: number }): Promise<string[]>;
}

export type StorageOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: string };

/** A storage confined to a prefix of another. */
export function view(base: Storage, prefix: string): Storage {
  return {
    get: (key) => base.get(prefix + key),
    put: (key, value) => base.put(prefix + key, value),
    delete: (key) => base.delete(prefix + key),
    write: (operations) =>
      base.write(operations.map((operation) => ({ ...operation, key: prefix + operation.key }))),
    list: (below, options) => base.list(prefix + below, options),
  };
}

/** Reads a JSON document that this engine wrote. */
export async function getJson<T>(storage: Storage, key: string): Promise<T | undefined> {
  const bytes = await storage.get(key);
  return bytes === undefined ? undefined : (parseJson(text(bytes)) as T);
}

export function jsonPut(key: string, value: Json | object): StorageOperation {
  return { type: 'put', key, value: utf8(JSON.stringify(value)) };
}

const PAGE = 500;

/** The children of a prefix, a page at a time, each begun behind the last name: entries may come and go meanwhile. */
export async function* names(storage: Storage, prefix: string): AsyncGenerator<string> {
  let after: string | undefined;
  for (;;) {
    const page: string[] = await storage.list(prefix, {
      limit: PAGE,
      ...(after === undefined ? {} : { after }),
    });
    yield* page;
    after = page.at(-1);
    if (page.length < PAGE) return;
  }
}

/** Every key below a prefix, which is empty or ends in a slash; keys are relative to the storage. */
export async function* keysBelow(storage: Storage, prefix: string): AsyncGenerator<string> {
  for (const name of await storage.list(prefix)) {
    if (name.endsWith('/')) yield* keysBelow(storage, prefix + name);
    else yield prefix + name;
  }
}

/** Deletes everything below a prefix, a page at a time. */
export async function clear(storage: Storage, prefix: string): Promise<void> {
  for (;;) {
    const page = await storage.list(prefix, { limit: PAGE });
    const keys = page.filter((name) => !name.endsWith('/'));
    if (keys.length > 0) await storage.write(keys.map((name) => ({ type: 'delete', key: prefix + name })));
    for (const name of page) if (name.endsWith('/')) await clear(storage, prefix + name);
    if (page.length < PAGE) return;
  }
}
