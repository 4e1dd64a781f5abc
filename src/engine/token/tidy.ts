import type { ExpiryIndex } from '../logical/expiry-index.ts';
import type { TokenEntry } from '../logical/request.ts';
import { getJson, jsonPut, names, type Storage, type StorageOperation } from '../logical/storage.ts';
import { accessorKey, pathKey } from './layout.ts';

/** What tidying needs of the token store. */
export interface TidyPort {
  readonly storage: Storage;
  readonly expiry: ExpiryIndex;
  readonly hash: (text: string) => string;
  readonly revoke: (hash: string) => Promise<void>;
  readonly sweep: () => Promise<number>;
  readonly alone: <T>(hash: string, work: () => Promise<T>) => Promise<T>;
}

/**
 * Goes through all tokens and all that leads to them (Vault API, "Tidy tokens").
 * - A token without its accessor was revoked, and written back by a renewal or cut off by a crash: it is revoked.
 * - A token whose parent is gone is revoked.
 * - A token that its path or its time does not lead to gets that index again.
 * - An index that leads to no token is removed.
 */
export async function tidyTokens(port: TidyPort): Promise<void> {
  await port.sweep();
  for await (const hash of names(port.storage, 'id/')) {
    if (await port.alone(hash, () => mend(port, hash))) await port.revoke(hash);
  }
  for await (const name of names(port.storage, 'accessor/')) {
    const index = await getJson<{ hash: string }>(port.storage, `accessor/${name}`);
    if (index !== undefined) await removeStale(port, index.hash, `accessor/${name}`);
  }
  for await (const folder of names(port.storage, 'parent/')) {
    for await (const child of names(port.storage, `parent/${folder}`))
      await removeStale(port, child, `parent/${folder}${child}`);
  }
}

/** @returns whether the token is to be revoked */
async function mend({ storage, expiry, hash: hashOf }: TidyPort, hash: string): Promise<boolean> {
  const entry = await getJson<TokenEntry>(storage, `id/${hash}`);
  if (entry === undefined) return false;
  if ((await storage.get(accessorKey(hashOf(entry.accessor)))) === undefined) return true;
  if (entry.parent !== '' && (await storage.get(`id/${entry.parent}`)) === undefined) return true;
  const missing: StorageOperation[] = [];
  const indexes = [pathKey(entry), entry.parent === '' ? undefined : `parent/${entry.parent}/${hash}`];
  for (const key of indexes)
    if (key !== undefined && (await storage.get(key)) === undefined) missing.push(jsonPut(key, {}));
  if (entry.expireTime !== 0 && !(await expiry.has(hash, entry.expireTime)))
    missing.push(...expiry.set(hash, 0, entry.expireTime));
  if (missing.length > 0) await storage.write(missing);
  return false;
}

function removeStale({ storage, alone }: TidyPort, hash: string, key: string): Promise<void> {
  return alone(hash, async () => {
    if ((await storage.get(`id/${hash}`)) === undefined) await storage.delete(key);
  });
}
