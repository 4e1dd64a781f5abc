import { closeSync, constants, existsSync, lstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';

/** Where audit files may be. */
export interface AuditPlaces {
  /** The folder below which devices of the API have their files; undefined: none have any. */
  readonly directory: string | undefined;
  /** Files and folders that are never written to: the storage, the configuration, keys of listeners. */
  readonly reserved: readonly string[];
}

/** A path that no audit device may write to. The message names no path. */
export class PlaceRefused extends Error {}

/**
 * Where a file of a device of the API is, looked at without opening it.
 * @returns the path without symbolic links, but for the name itself
 * @throws PlaceRefused
 */
export function placeBelow({ directory }: AuditPlaces, path: string): string {
  if (directory === undefined)
    throw new PlaceRefused('no folder for audit files is configured: set audit_directory');
  const outside = 'must be below the folder that the configuration names as audit_directory';
  const folder = resolve(directory);
  const wanted = resolve(path);
  if (!isBelow(wanted, folder)) throw new PlaceRefused(outside);
  // What shells and other programs read by themselves begins with a dot.
  if (wanted.slice(folder.length).includes(`${sep}.`))
    throw new PlaceRefused('must have no part that begins with a dot');
  // What is there may be a link; what is missing is made below what is there.
  let there = dirname(wanted);
  while (!existsSync(there) && there !== dirname(there)) there = dirname(there);
  const real = realpathSync(there);
  const root = existsSync(folder) ? realpathSync(folder) : undefined;
  if (root === undefined ? !isBelow(folder, there) : real !== root && !isBelow(real, root))
    throw new PlaceRefused(outside);
  return join(real, wanted.slice(there.length));
}

/** @throws PlaceRefused for the storage, the configuration, and keys of listeners */
export function refuseReserved({ reserved }: AuditPlaces, path: string): void {
  const real = realOf(path);
  for (const each of reserved) {
    const kept = realOf(each);
    if (real === kept || isBelow(real, kept))
      throw new PlaceRefused('must not be in the storage, nor be a file of the configuration');
  }
}

const HEAD = 65_536;

/** @throws PlaceRefused for a file with something in it that is no audit log */
export function refuseForeign(path: string, prefix: string): void {
  // A name that is a link is not followed here: whoever may follow one has no such file to spare.
  const { O_RDONLY, O_NONBLOCK } = constants;
  const fd = openSync(path, O_RDONLY | O_NONBLOCK);
  try {
    const head = Buffer.alloc(HEAD);
    const text = head.toString('utf8', 0, readSync(fd, head, 0, HEAD, 0));
    if (text !== '' && !isAuditLog(text, prefix))
      throw new PlaceRefused('names a file that is there and is no audit log');
  } finally {
    closeSync(fd);
  }
}

// Of both formats, and of the peers, whose members stand in another order. A first line may be longer than what was read.
function isAuditLog(text: string, prefix: string): boolean {
  const line = text.slice(0, text.indexOf('\n') === -1 ? undefined : text.indexOf('\n'));
  const entry = line.startsWith(prefix) ? line.slice(prefix.length) : line;
  if (entry.startsWith('<json:object')) return true;
  return /^\{"(?:time|auth|request|type|error|response)":/.test(entry) && /"(?:time|request)":/.test(entry);
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function realOf(path: string): string {
  const wanted = resolve(path);
  let there = wanted;
  while (!isThere(there) && there !== dirname(there)) there = dirname(there);
  try {
    return join(realpathSync(there), wanted.slice(there.length));
  } catch {
    return wanted;
  }
}

function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
