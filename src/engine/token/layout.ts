import { createHash } from 'node:crypto';
import type { ExpiryIndex } from '../logical/expiry-index.ts';
import type { TokenEntry } from '../logical/request.ts';
import { jsonPut, type StorageOperation } from '../logical/storage.ts';

/**
 * Where tokens lie: `id/<hash>` holds the entry; `accessor/<hash of it>`, `parent/<hash>/<hash>`,
 * `path/<creation path>/h<hash>` and `expiry/<time>/<hash>` lead to it. A token that expires is in the last two.
 */
export const PATH_LIMIT = 500;
const KEPT = 400;

/** @returns the folder of a creation path in the index: one that no key could hold keeps its first segments and a hash. */
export function pathFolder(path: string): string {
  if (path.length <= PATH_LIMIT) return path;
  return `${keptSegments(path)}~${createHash('sha256').update(path).digest('hex')}`;
}

/** @returns the whole segments at the beginning of a long path, which its folder keeps; ends in a slash */
export function keptSegments(path: string): string {
  return path.slice(0, path.lastIndexOf('/', KEPT) + 1);
}

/** @returns undefined for a token that no path leads to: one that never expires */
export function pathKey(entry: TokenEntry): string | undefined {
  return entry.expireTime === 0 ? undefined : `path/${pathFolder(entry.path)}/h${entry.hash}`;
}

export function accessorKey(accessorHash: string): string {
  return `accessor/${accessorHash}`;
}

/** The operations that store a token that was not there, with everything that leads to it. */
export function tokenPuts(entry: TokenEntry, accessorHash: string, expiry: ExpiryIndex): StorageOperation[] {
  const { hash, accessor, parent } = entry;
  const byPath = pathKey(entry);
  return [
    jsonPut(`id/${hash}`, entry),
    jsonPut(accessorKey(accessorHash), { hash, accessor }),
    ...(parent === '' ? [] : [jsonPut(`parent/${parent}/${hash}`, {})]),
    ...(byPath === undefined ? [] : [jsonPut(byPath, {})]),
    ...expiry.set(hash, 0, entry.expireTime),
  ];
}

/** The operations that remove a token and everything that leads to it. */
export function tokenDeletes(
  entry: TokenEntry,
  accessorHash: string,
  expiry: ExpiryIndex,
): StorageOperation[] {
  const { hash, parent } = entry;
  const byPath = pathKey(entry);
  return [
    { type: 'delete', key: `id/${hash}` },
    { type: 'delete', key: accessorKey(accessorHash) },
    ...(parent === '' ? [] : [{ type: 'delete', key: `parent/${parent}/${hash}` } as const]),
    ...(byPath === undefined ? [] : [{ type: 'delete', key: byPath } as const]),
    ...expiry.set(hash, entry.expireTime, 0),
  ];
}
