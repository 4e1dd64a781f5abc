import { lstatSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Who may be at the other end of the agent's socket. Node tells nobody's peer credentials (SO_PEERCRED), so both
 * ends let the kernel decide by files: whoever may connect has write permission on the socket and may enter its
 * folder, and whoever listens could make a file there.
 */
export interface SocketOwner {
  /** Besides root: the agent's user as the engine expects it. */
  readonly uid: number;
}

/**
 * For the engine, which sends the root key: only the expected user or root can have made this socket.
 * @returns what is wrong, or undefined; also for a path where nothing is: connecting says it better
 */
export function distrustOf(path: string, owner: SocketOwner): string | undefined {
  const folder = statOf(dirname(path));
  const socket = statOf(path);
  if (folder === undefined || socket === undefined) return undefined;
  const expected = [owner.uid, 0];
  if (!expected.includes(folder.uid)) return `its folder belongs to user ${folder.uid}`;
  if ((folder.mode & 0o022) !== 0) return 'its folder can be written by others';
  if (!socket.isSocket()) return 'it is no socket';
  if (!expected.includes(socket.uid)) return `it belongs to user ${socket.uid}`;
  return undefined;
}

/** This process' user; 0 where there are no users. */
export function ownUid(): number {
  return process.getuid?.() ?? 0;
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}
