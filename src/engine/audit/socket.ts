import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { isIP } from 'node:net';
import type { Output } from './output.ts';

export interface SocketOptions {
  readonly transport: 'tcp' | 'udp' | 'unix';
  /** host:port, or the path of a stream socket. */
  readonly address: string;
  /** For connecting and for each line. */
  readonly timeoutMs: number;
  /** Asked before each connection. @throws for an address that is none of this device's */
  readonly guard?: () => void;
}

/** A stream that lines are written to; it is connected again with the next line after a failure. */
export class SocketOutput implements Output {
  readonly #options: SocketOptions;
  #open: Socket | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: SocketOptions) {
    this.#options = options;
  }

  write(line: string): Promise<void> {
    return this.#exclusive(async () => {
      const socket = this.#open ?? (await this.#connect());
      try {
        await this.#within((done) => socket.write(line, done));
      } catch (error) {
        this.#drop();
        throw error;
      }
    });
  }

  reopen(): Promise<void> {
    return this.#exclusive(async () => {
      this.#drop();
      await this.#connect();
    });
  }

  close(): Promise<void> {
    return this.#exclusive(() => {
      this.#open?.end();
      this.#open = undefined;
      return Promise.resolve();
    });
  }

  async #connect(): Promise<Socket> {
    const { transport, address, guard } = this.#options;
    guard?.();
    const socket = transport === 'unix' ? connect(address) : connect(hostAndPort(address));
    socket.unref();
    // Nothing is expected from the other side: what it sends is thrown away, and its end ends ours.
    socket.resume();
    const forget = (): void => {
      if (this.#open === socket) this.#open = undefined;
    };
    try {
      await this.#within((done) => {
        socket.once('error', done);
        socket.once('connect', () => done());
      });
    } catch (error) {
      socket.destroy();
      throw error;
    }
    socket.on('error', forget);
    socket.on('end', forget);
    socket.on('close', forget);
    this.#open = socket;
    return socket;
  }

  #drop(): void {
    this.#open?.destroy();
    this.#open = undefined;
  }

  #within(start: (done: (error?: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error('the peer of the audit device does not answer')),
        this.#options.timeoutMs,
      );
      start((error) => {
        clearTimeout(timer);
        if (error === undefined || error === null) resolve();
        else reject(error);
      });
    });
  }

  // Lines of requests that run at the same time must not be mixed, nor two connections made.
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

/** One datagram a line. That it was sent is all that can be known. */
export class DatagramOutput implements Output {
  readonly #address: string;
  #open: ReturnType<typeof createSocket> | undefined;

  constructor(address: string) {
    this.#address = address;
  }

  write(line: string): Promise<void> {
    const { host, port } = hostAndPort(this.#address);
    const socket = this.#open ?? this.#bind(host);
    return new Promise((resolve, reject) => {
      socket.send(line, port, host, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  reopen(): void {
    this.#open ??= this.#bind(hostAndPort(this.#address).host);
  }

  async close(): Promise<void> {
    this.#open?.close();
    this.#open = undefined;
  }

  #bind(host: string): ReturnType<typeof createSocket> {
    const socket = createSocket(isIP(host) === 6 ? 'udp6' : 'udp4');
    socket.unref();
    socket.on('error', () => {
      if (this.#open === socket) this.#open = undefined;
    });
    this.#open = socket;
    return socket;
  }
}

/** @returns the parts of `host:port` or `[::1]:port`; the port is NaN when there is none */
export function hostAndPort(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  const port = Number(colon === -1 || colon === address.length - 1 ? Number.NaN : address.slice(colon + 1));
  return { host: address.slice(0, Math.max(colon, 0)).replace(/^\[(.*)\]$/, '$1') || '127.0.0.1', port };
}
