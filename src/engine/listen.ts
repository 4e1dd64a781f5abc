import { chmodSync, chownSync, lstatSync, readFileSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { ConfigInvalid, type ListenerConfig } from './config.ts';
import type { UnixSocketConfig } from './config-listener.ts';

/**
 * Has a server listen where its configuration says.
 * @returns `host:port` as it was really bound, or the path of a socket
 * @throws ERR_CONFIG_INVALID, and a system error for an address that cannot be bound
 */
export async function listen(server: Server, listener: ListenerConfig): Promise<string> {
  const { unix, host, port } = listener;
  if (unix !== undefined) return listenOnSocket(server, unix);
  await bound(server, { host, port });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new ConfigInvalid('a listener has no address');
  return address.family === 'IPv6'
    ? `[${address.address}]:${address.port}`
    : `${address.address}:${address.port}`;
}

function bound(server: Server, where: { host: string; port: number } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

// Nobody may connect before owner and mode are as they are to be.
async function listenOnSocket(
  server: Server,
  { path, mode, user, group }: UnixSocketConfig,
): Promise<string> {
  await removeStale(path);
  const uid = idOf(user, '/etc/passwd', 'socket_user');
  const gid = idOf(group, '/etc/group', 'socket_group');
  const before = process.umask(0o177);
  try {
    await bound(server, { path });
  } finally {
    process.umask(before);
  }
  try {
    if (uid !== undefined || gid !== undefined)
      chownSync(path, uid ?? process.getuid?.() ?? -1, gid ?? process.getgid?.() ?? -1);
    chmodSync(path, mode ?? 0o666 & ~before);
  } catch (cause) {
    server.close();
    throw new ConfigInvalid('the owner or mode of the socket of listener "unix" cannot be set', {
      cause,
      hint: 'check socket_user, socket_group and socket_mode: only root gives a file to another user',
    });
  }
  return path;
}

// A socket that a killed engine left behind is in the way of the next; nothing else is ever removed.
async function removeStale(path: string): Promise<void> {
  let isSocket: boolean;
  try {
    isSocket = lstatSync(path).isSocket();
  } catch {
    return;
  }
  if (!isSocket)
    throw new ConfigInvalid('the address of listener "unix" is a file that is no socket', {
      hint: 'name a path at which there is nothing',
    });
  const answers = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
  if (answers) throw new ConfigInvalid('the socket of listener "unix" is in use by another process');
  rmSync(path);
}

function idOf(name: string | undefined, file: string, key: string): number | undefined {
  if (name === undefined) return undefined;
  if (/^\d{1,10}$/.test(name)) return Number(name);
  const rows = readFileSync(file, 'utf8')
    .split('\n')
    .map((row) => row.split(':'));
  const id = rows.find(([each]) => each === name)?.[2];
  if (id === undefined)
    throw new ConfigInvalid(`${key} of listener "unix" is nobody known`, {
      hint: 'name a user or group, or its number',
    });
  return Number(id);
}
