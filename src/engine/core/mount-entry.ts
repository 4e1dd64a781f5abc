import type { Random } from '../../lib/random.ts';
import { folderOf, type MountEntry, type MountRequest } from '../mount/mount.ts';

/** Why a mount was refused. */
export type MountRefusal = { readonly refused: string };

/** There is one of each, from the beginning to the end. */
export const SINGLETONS: readonly string[] = ['system', 'cubbyhole', 'identity', 'token'];

/** @param known factories by type. @returns why a mount that is asked for cannot be */
export function refuseMount({ table, type, path }: MountRequest, known: object): string | undefined {
  if (SINGLETONS.includes(type)) return `mount type of ${JSON.stringify(type)} is not mountable`;
  if (!Object.hasOwn(known, factoryName(type))) return `plugin not found in the catalog: ${type}`;
  return table === 'mounts' && /^(?:auth|sys|identity|cubbyhole)\//.test(path)
    ? `cannot mount under existing mount ${JSON.stringify(`${path.split('/')[0]}/`)}`
    : undefined;
}

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
