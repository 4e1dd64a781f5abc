import type { Random } from '../../lib/random.ts';
import { folderOf, type MountEntry, type MountRequest } from '../mount/mount.ts';

/** The entry of a mount that is asked for. */
export function newEntry(request: MountRequest, random: Random): MountEntry {
  const version = /^kv-v([12])$/.exec(request.type)?.[1];
  const kind = version === undefined ? request.type : 'kv';
  const suffix = random.uuid().slice(0, 8);
  return {
    ...request,
    type: kind,
    options: version === undefined ? request.options : { ...request.options, version },
    uuid: random.uuid(),
    accessor: `${request.table === 'auth' ? 'auth_' : ''}${kind}_${suffix}`,
    externalEntropyAccess: request.externalEntropyAccess ?? false,
  };
}

/** The path of a mount in the API. */
export function prefixOf(entry: MountEntry): string {
  return entry.table === 'auth' ? `auth/${entry.path}` : entry.path;
}

/** The names of all folders in which a mount may have data. */
export function foldersOf(entry: MountEntry): string[] {
  const old = entry.upgradingFrom?.folder;
  return [...new Set([entry.uuid, folderOf(entry), ...(old === undefined ? [] : [old])])];
}

/** The name of the factory of a type: kv-v2 is a name for kv with an option. */
export function factoryName(type: string): string {
  return type === 'kv-v2' || type === 'kv-v1' || type === 'generic' ? 'kv' : type;
}
