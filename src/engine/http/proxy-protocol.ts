import type { Server } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { isInBlocks } from '../../lib/cidr.ts';

/** Whose PROXY header is believed (Vault: TCP listener, proxy_protocol_behavior). */
export interface ProxyProtocol {
  readonly behavior: 'use_always' | 'allow_authorized' | 'deny_unauthorized';
  readonly authorized: readonly string[];
}

export interface Peer {
  readonly address: string;
  readonly port: number;
}

type Header =
  | { readonly kind: 'more' }
  | { readonly kind: 'bad' }
  /** No client is named: the connection speaks for itself. */
  | { readonly kind: 'local'; readonly length: number }
  | { readonly kind: 'client'; readonly length: number; readonly client: Peer };

const V1 = Buffer.from('PROXY ');
const V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n');
// haproxy, The PROXY protocol, §2.1: the longest line of version 1 with its CRLF.
const LONGEST_V1 = 107;
// Addresses of version 2, and room for what clients of clouds add to them.
const LONGEST_V2 = 4096;

/**
 * Has a server read the PROXY header, version 1 or 2, with which a load balancer begins a connection (haproxy, The PROXY
 * protocol). A connection without one is served as it is.
 *
 * I1  What an unauthorized peer says in a header is not believed: the header is skipped, or the connection refused.
 * I2  A header that cannot be read, is too long or does not arrive in time ends the connection.
 *
 * @returns whom a connection comes from
 */
export function acceptProxies(
  server: Server | HttpsServer,
  { behavior, authorized }: ProxyProtocol,
  timeoutMs: number,
): (socket: Pick<Socket, 'remoteAddress' | 'remotePort'>) => Peer | undefined {
  // A TLS socket does not show the connection below it, but has its address.
  const clients = new Map<string, Peer>();
  const seen = new WeakSet<Socket>();
  const serve = server.listeners('connection') as ((this: unknown, socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const handOver = (): void => {
      for (const listener of serve) listener.call(server, socket);
    };
    // LIST has a connection read anew.
    if (seen.has(socket)) {
      handOver();
      return;
    }
    seen.add(socket);
    const trusted = behavior === 'use_always' || isInBlocks(socket.remoteAddress ?? '', authorized);
    if (!trusted && behavior === 'deny_unauthorized') {
      socket.destroy();
      return;
    }
    readHeader(socket, timeoutMs, (client) => {
      const key = keyOf(socket);
      if (trusted && client !== undefined) {
        clients.set(key, client);
        socket.once('close', () => {
          if (clients.get(key) === client) clients.delete(key);
        });
      }
      handOver();
    });
  });
  return (socket) => clients.get(keyOf(socket));
}

/** The other end of a connection; a peer by IPv4 has its own address on a socket for both families as well. */
export function peerOf({
  remoteAddress = '',
  remotePort = 0,
}: Pick<Socket, 'remoteAddress' | 'remotePort'>): Peer {
  const address = /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(remoteAddress) ? remoteAddress.slice(7) : remoteAddress;
  return { address, port: remotePort };
}

function keyOf({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress ?? ''} ${remotePort ?? 0}`;
}

function readHeader(socket: Socket, timeoutMs: number, done: (client: Peer | undefined) => void): void {
  let bytes = Buffer.alloc(0);
  const fail = (): void => {
    socket.destroy();
  };
  const onReadable = (): void => {
    for (let chunk: unknown = socket.read(); chunk instanceof Buffer; chunk = socket.read())
      bytes = Buffer.concat([bytes, chunk]);
    const header = parseProxyHeader(bytes);
    if (header.kind === 'more') return;
    finish();
    if (header.kind === 'bad') {
      fail();
      return;
    }
    const rest = bytes.subarray(header.length);
    if (rest.length > 0) socket.unshift(rest);
    // The stream is put back to where it was, for whoever listens next, before anybody does.
    setImmediate(() => {
      if (!socket.destroyed) done(header.kind === 'client' ? header.client : undefined);
    });
  };
  const finish = (): void => {
    socket.removeListener('readable', onReadable);
    socket.removeListener('timeout', fail);
    socket.removeListener('end', fail);
    socket.setTimeout(0);
  };
  // Until the server that is handed the connection listens, nobody else does.
  socket.on('error', fail);
  socket.once('end', fail);
  socket.setTimeout(timeoutMs, fail);
  socket.on('readable', onReadable);
}

/** Reads the beginning of a connection. Exported for tests. */
export function parseProxyHeader(bytes: Buffer): Header {
  if (startsAlike(bytes, V2)) return bytes.length < V2.length ? { kind: 'more' } : parseV2(bytes);
  if (startsAlike(bytes, V1)) return bytes.length < V1.length ? { kind: 'more' } : parseV1(bytes);
  return { kind: 'local', length: 0 };
}

function startsAlike(bytes: Buffer, whole: Buffer): boolean {
  const length = Math.min(bytes.length, whole.length);
  return bytes.subarray(0, length).equals(whole.subarray(0, length));
}

function parseV1(bytes: Buffer): Header {
  const end = bytes.subarray(0, LONGEST_V1).indexOf('\r\n');
  if (end === -1) return bytes.length < LONGEST_V1 ? { kind: 'more' } : { kind: 'bad' };
  const length = end + 2;
  const line = bytes.toString('latin1', 0, end);
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { kind: 'local', length };
  const match = /^PROXY TCP(?<family>[46]) (?<from>\S+) (?<to>\S+) (?<port>\d{1,5}) \d{1,5}$/.exec(line);
  const { family = '', from = '', to = '', port = '' } = match?.groups ?? {};
  if (match === null || isIP(from) !== Number(family) || isIP(to) !== Number(family) || Number(port) > 65_535)
    return { kind: 'bad' };
  return { kind: 'client', length, client: { address: from, port: Number(port) } };
}

function parseV2(bytes: Buffer): Header {
  if (bytes.length < 16) return { kind: 'more' };
  const command = bytes.readUInt8(12);
  const family = bytes.readUInt8(13);
  const size = bytes.readUInt16BE(14);
  if (size > LONGEST_V2 || (command !== 0x20 && command !== 0x21)) return { kind: 'bad' };
  const length = 16 + size;
  if (bytes.length < length) return { kind: 'more' };
  if (command === 0x20) return { kind: 'local', length };
  if (family === 0x11 && size >= 12) {
    const address = bytes.subarray(16, 20).join('.');
    return { kind: 'client', length, client: { address, port: bytes.readUInt16BE(24) } };
  }
  if (family === 0x21 && size >= 36)
    return {
      kind: 'client',
      length,
      client: { address: ipv6(bytes.subarray(16, 32)), port: bytes.readUInt16BE(48) },
    };
  // Datagrams, sockets of a file system, and what is not specified name no client.
  return family === 0x11 || family === 0x21 ? { kind: 'bad' } : { kind: 'local', length };
}

function ipv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
