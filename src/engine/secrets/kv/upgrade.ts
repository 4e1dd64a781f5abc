import type { StorageFormat } from '../../logical/storage-format.ts';
import { jsonPut, type Storage, type StorageOperation } from '../../logical/storage.ts';
import { type KeyMetadata, KvStore } from './store.ts';

const TURN_MS = 500;
const AT_ONCE = 100;
/** Values that are moved together. */
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * Version 1 and version 2 of kv, and the way from one to the other: every secret becomes version 1 of its key
 * (Vault: "Upgrading from Version 1"). A secret is written to its new place before it is removed from the old one.
 */
export const kvFormat: StorageFormat = {
  option: 'version',
  formats: ['1', '2'],
  upgrade: async (from, to, { clock, random }) => {
    const store = new KvStore(to, clock, random);
    const end = clock.monotonic() + TURN_MS;
    do {
      const keys = await firstKeys(from, '', AT_ONCE);
      if (keys.length === 0) return true;
      await move(from, to, keys, () => store.fresh());
    } while (clock.monotonic() < end);
    return false;
  },
};

async function move(
  from: Storage,
  to: Storage,
  keys: readonly string[],
  fresh: () => KeyMetadata,
): Promise<void> {
  const puts: StorageOperation[] = [];
  const deletes: StorageOperation[] = [];
  let size = 0;
  for (const key of keys) {
    if (size > MOST_BYTES) break;
    deletes.push({ type: 'delete', key });
    const value = await from.get(key);
    // What has its new place already was moved before something cut the upgrade off.
    if (value === undefined || (await to.get(`metadata/${key}`)) !== undefined) continue;
    const metadata = fresh();
    const first = { createdTime: metadata.createdTime, deletionTime: '', destroyed: false };
    puts.push(jsonPut(`metadata/${key}`, { ...metadata, currentVersion: 1, versions: { 1: first } }));
    puts.push({ type: 'put', key: `versions/${metadata.id}/1`, value });
    size += value.length;
  }
  if (puts.length > 0) await to.write(puts);
  await from.write(deletes);
}

/** The first keys in the order of a walk. */
async function firstKeys(storage: Storage, prefix: string, limit: number): Promise<string[]> {
  const found: string[] = [];
  for (const name of await storage.list(prefix, { limit })) {
    if (found.length >= limit) break;
    if (name.endsWith('/')) found.push(...(await firstKeys(storage, prefix + name, limit - found.length)));
    else found.push(prefix + name);
  }
  return found;
}
