import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { ApiAccess } from '../../support/cluster/api.ts';

/** What may go wrong with one request. */
export type Fault =
  /** An answer of this status in place of the real one. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly reason: string;
      readonly retryAfter?: number;
    }
  /** The connection is reset before anything is answered. */
  | { readonly kind: 'reset' }
  /** The request is taken, and nothing ever comes back. */
  | { readonly kind: 'hang' }
  /** The stream begins as it should, and falls silent without an end. */
  | { readonly kind: 'silence' }
  /** The stream ends in the middle of a line. */
  | { readonly kind: 'half' }
  /** The stream is reset after its first line. */
  | { readonly kind: 'reset-stream' }
  /** The stream's first line is an ERROR frame of this code. */
  | { readonly kind: 'frame'; readonly code: number; readonly reason: string }
  /** Every line of the stream comes twice. */
  | { readonly kind: 'duplicate' };

/** One request that came by. */
export interface Seen {
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly accept: string;
}

/** An HTTP proxy in front of a real API server that breaks what it is told to break. */
export class FaultProxy {
  readonly seen: Seen[] = [];
  /** Asked for each request. */
  fault: (request: Seen) => Fault | undefined = () => undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #access: ApiAccess;
  readonly #agent: Agent;

  constructor(access: ApiAccess) {
    this.#access = access;
    this.#agent = new Agent({
      keepAlive: true,
      ca: access.authority,
      ...(access.certificate === undefined ? {} : { cert: access.certificate }),
      ...(access.key === undefined ? {} : { key: access.key }),
    });
    this.#server = createServer((incoming, outgoing) => this.#handle(incoming, outgoing));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Breaks every connection there is. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async stop(): Promise<void> {
    this.cut();
    this.#agent.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  /** Requests of a kind since the beginning. */
  count(filter: (seen: Seen) => boolean): number {
    return this.seen.filter(filter).length;
  }

  #handle(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const url = new URL(incoming.url ?? '/', 'http://proxy');
    const seen: Seen = {
      at: performance.now(),
      method: incoming.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      accept: incoming.headers.accept ?? '',
    };
    this.seen.push(seen);
    const fault = this.fault(seen);
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'reset') {
      incoming.socket.resetAndDestroy();
      return;
    }
    if (fault?.kind === 'status') {
      const { status, reason, retryAfter } = fault;
      outgoing.writeHead(status, {
        'content-type': 'application/json',
        ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
      });
      outgoing.end(
        JSON.stringify({ kind: 'Status', status: 'Failure', code: status, reason, message: 'CANARY' }),
      );
      return;
    }
    this.#forward(incoming, outgoing, fault);
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse, fault: Fault | undefined): void {
    const { host: _, ...headers } = incoming.headers;
    const upstream = request(
      new URL(incoming.url ?? '/', this.#access.server),
      { method: incoming.method, headers, agent: this.#agent },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        outgoing.flushHeaders();
        if (fault === undefined) {
          answer.on('error', () => outgoing.destroy());
          answer.pipe(outgoing);
        } else disturb(fault, answer, outgoing);
      },
    );
    upstream.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  }
}

function disturb(fault: Fault, answer: IncomingMessage, outgoing: ServerResponse): void {
  answer.on('error', () => outgoing.destroy());
  if (fault.kind === 'silence') return;
  if (fault.kind === 'frame') {
    const object = { kind: 'Status', status: 'Failure', code: fault.code, reason: fault.reason };
    outgoing.end(`${JSON.stringify({ type: 'ERROR', object })}\n`);
    return;
  }
  let rest = '';
  answer.setEncoding('utf8');
  answer.on('end', () => outgoing.end());
  answer.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (fault.kind === 'duplicate') outgoing.write(`${line}\n${line}\n`);
      if (fault.kind === 'half') outgoing.end(line.slice(0, Math.floor(line.length / 2)));
      if (fault.kind === 'reset-stream')
        outgoing.write(`${line}\n`, () => outgoing.socket?.resetAndDestroy());
      if (fault.kind !== 'duplicate') return;
    }
  });
}
