import {
  createServer as createHttp,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttps, type Server as HttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { SealedVaultError } from '../../lib/errors.ts';
import type { Logger, LogLevel } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { CoreRequest } from '../core/context.ts';
import type { Response } from '../logical/response.ts';
import { type ForwardedFor, placeOf } from './client-place.ts';
import type { BodyLimits } from './body.ts';
import { answerCors, type CorsSource } from './cors.ts';
import { acceptList } from './list-method.ts';
import { isParseRefusal, parseRequest } from './parse.ts';
import { acceptProxies, type Peer, peerOf, type ProxyProtocol } from './proxy-protocol.ts';
import { render } from './render.ts';
import { addHeaders, type ResponseHeaders } from './response-headers.ts';
import { readTarget } from './target.ts';
import { MAX_HEADER_BYTES, refuseMethod } from './unreadable.ts';

/**
 * The HTTP edge. `/v1/*` goes from node:http straight to the pipeline; `/ui/*` belongs to
 * Express, when the configuration wants pages; there is nothing else.
 *
 * I1  A request that cannot be parsed has a documented status and touches nothing.
 * I2  A defect is a 500 without its text; the log has the id, the code and the cause.
 * I3  Bodies, tokens and queries are never logged.
 * I4  Nothing that an unauthorized proxy says of its client is believed (`client-place.ts`, `proxy-protocol.ts`).
 * I5  A path is made clean by a redirect, never on the way: policies and handlers see one path (`target.ts`).
 */
export interface EdgeOptions {
  readonly handle: (request: CoreRequest) => Promise<Response>;
  readonly log: Logger;
  readonly random: Pick<Random, 'uuid'>;
  /** What the API says of headers; undefined while the vault is sealed. */
  readonly settings: () => EdgeSettings | undefined;
  readonly limits: BodyLimits;
  /** Whether a token is good; undefined when there is no telling, as in a sealed vault. */
  readonly isGood: (token: string) => Promise<boolean | undefined>;
  /** After this time a request is told to end. */
  readonly maxRequestDurationMs: number;
  readonly timeouts: EdgeTimeouts;
  /** Whether the ceremony page is served. */
  readonly ui: boolean;
  /** Families of quorum endpoints that need no token on this listener. */
  readonly open: CoreRequest['open'];
  readonly forwardedFor: ForwardedFor | undefined;
  readonly proxyProtocol: ProxyProtocol | undefined;
  readonly responseHeaders: () => ResponseHeaders;
  /** The name of the host, when answers are to have it. */
  readonly hostname: string | undefined;
  /** At which level finished requests are logged. */
  readonly requestsLevel: Exclude<LogLevel, 'trace'> | undefined;
}

/** Milliseconds; 0 is no limit. */
export interface EdgeTimeouts {
  readonly readHeaderMs: number;
  readonly readMs: number;
  readonly writeMs: number;
  readonly idleMs: number;
}

/** Headers for browsers: who may call from other origins, and what pages are served with. */
export interface EdgeSettings extends CorsSource {
  readonly ui: Readonly<Record<string, readonly string[]>>;
}

/** Certificates as PEM texts. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
  readonly requireClientCert: boolean;
  /** Whether clients are asked for certificates at all. */
  readonly askClientCert: boolean;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly maxVersion: 'TLSv1.2' | 'TLSv1.3';
  /** OpenSSL's names; undefined: Node's. */
  readonly ciphers: string | undefined;
  readonly preferServerCiphers: boolean | undefined;
}

/** What of the options is found out when the server is made. */
interface Edge extends EdgeOptions {
  readonly verifiesClients: boolean;
  readonly peer: (message: IncomingMessage) => Peer;
}

/** A server that is not listening yet. */
export function createEdge(options: EdgeOptions, tls: TlsMaterial | undefined): Server | HttpsServer {
  const pages = otherPages(options);
  const listener: RequestListener = (message, out) => {
    addHeaders(out, options.responseHeaders(), ownHeaders(message, options));
    const { writeMs } = options.timeouts;
    if (writeMs > 0) limitAnswer(message, out, writeMs);
    const target = readTarget(message.url ?? '');
    if (target.kind === 'redirect') redirect(message, out, target.location, options);
    else {
      message.url = target.query === undefined ? target.path : `${target.path}?${target.query}`;
      if (target.path.startsWith('/v1/')) void serve(message, out, edge);
      else pages(message, out);
    }
  };
  const server =
    tls === undefined
      ? createHttp(limitsOf(options.timeouts), listener)
      : createHttps({ ...limitsOf(options.timeouts), ...tlsOptions(tls) }, listener);
  acceptList(server);
  // Without a listener the connection would end without a word.
  server.on('connect', (_message: IncomingMessage, socket: Duplex) => refuseMethod(socket));
  const { proxyProtocol, timeouts } = options;
  const claimed =
    proxyProtocol === undefined
      ? undefined
      : acceptProxies(server, proxyProtocol, timeouts.readHeaderMs || DEFAULT_HEADER_MS);
  const edge: Edge = {
    ...options,
    // Without an authority of the listener's own, Node would trust the system's.
    verifiesClients: tls?.ca !== undefined && tls.askClientCert,
    peer: ({ socket }) => claimed?.(socket) ?? peerOf(socket),
  };
  return server;
}

const DEFAULT_HEADER_MS = 10_000;

// Slow peers must not hold connections for ever.
function limitsOf({ readHeaderMs, readMs, idleMs }: EdgeTimeouts): object {
  return {
    // Go reads the headers in the time of the whole request when they have no time of their own.
    headersTimeout: readMs > 0 ? Math.min(readHeaderMs || readMs, readMs) : readHeaderMs,
    requestTimeout: readMs,
    keepAliveTimeout: idleMs || readMs || readHeaderMs,
    maxHeaderSize: MAX_HEADER_BYTES,
    // Node would look every 30 s: a peer that dribbles is cut when its time is over.
    connectionsCheckingInterval: 1000,
  };
}

/** What Node is told of TLS: at the start, and with new certificates. */
export function tlsOptions(tls: TlsMaterial): object {
  return {
    cert: tls.cert,
    key: tls.key,
    minVersion: tls.minVersion,
    maxVersion: tls.maxVersion,
    ...(tls.ciphers === undefined ? {} : { ciphers: `${tls.ciphers}:${TLS13_SUITES}` }),
    ...(tls.preferServerCiphers === undefined ? {} : { honorCipherOrder: tls.preferServerCiphers }),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    // Asked for without an authority too: the auth method cert has authorities of its own.
    requestCert: tls.askClientCert,
    rejectUnauthorized: tls.requireClientCert,
  };
}

// The list is for TLS 1.2: those of 1.3 are not up to anybody, as in Go.
const TLS13_SUITES = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';

function ownHeaders({ headers }: IncomingMessage, { hostname }: EdgeOptions): Record<string, string> {
  const namespace = headers['x-vault-namespace']?.toString() ?? '';
  return {
    ...(hostname === undefined ? {} : { 'X-Vault-Hostname': hostname }),
    ...(ROOT_NAMESPACE.test(namespace) ? { 'X-Vault-Namespace': namespace } : {}),
  };
}

const ROOT_NAMESPACE = /^(?:root\/?|\/)$/;

function limitAnswer(message: IncomingMessage, out: ServerResponse, ms: number): void {
  const timer = setTimeout(() => message.socket.destroy(), ms);
  out.once('close', () => clearTimeout(timer));
}

function redirect(
  message: IncomingMessage,
  out: ServerResponse,
  location: string,
  options: EdgeOptions,
): void {
  if (message.headers.origin !== undefined && answerCors(message, out, options.settings())) return;
  out.writeHead(307, { Location: location, 'Cache-Control': 'no-store', 'Content-Length': '0' });
  out.end();
}

async function serve(message: IncomingMessage, out: ServerResponse, options: Edge): Promise<void> {
  const requestId = options.random.uuid();
  const head = message.method === 'HEAD';
  const gone = new AbortController();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    gone.abort();
    // A body that is still on its way has had its time.
    if (!message.complete) message.destroy();
  }, options.maxRequestDurationMs);
  out.once('close', () => {
    clearTimeout(timer);
    if (!out.writableFinished) gone.abort();
  });
  try {
    if (message.headers.origin !== undefined && answerCors(message, out, options.settings())) return;
    const place = placeOf(message, options.peer(message), options.forwardedFor);
    const request =
      'status' in place
        ? place
        : await parseRequest(message, {
            limits: options.limits,
            isGood: options.isGood,
            open: options.open,
            verifiesClients: options.verifiesClients,
            place,
            requestId,
            signal: gone.signal,
          });
    if (isParseRefusal(request)) {
      // What is left of the body is not read.
      if (!message.complete) out.setHeader('Connection', 'close');
      render({ kind: 'refusal', status: request.status, errors: [request.message] }, requestId, out, head);
      return;
    }
    if (options.requestsLevel !== undefined) logWhenDone(request, out, options.log, options.requestsLevel);
    const response = await options.handle(request);
    // A stream ends when its reader goes.
    clearTimeout(timer);
    render(response, requestId, out, head);
  } catch (err) {
    if (gone.signal.aborted && !late) {
      options.log.debug({ requestId }, 'the client went away');
      return;
    }
    if (late) options.log.warn({ requestId }, 'a request took longer than max_request_duration');
    else options.log.error({ err, requestId }, 'a request failed');
    if (out.headersSent) out.destroy();
    else render(late ? tooLate : failure(err), requestId, out, head);
  } finally {
    clearTimeout(timer);
  }
}

const tooLate: Response = { kind: 'refusal', status: 504, errors: ['context deadline exceeded'] };

function logWhenDone(
  { id, path, method, remoteAddress }: CoreRequest,
  out: ServerResponse,
  log: Logger,
  level: Exclude<LogLevel, 'trace'>,
): void {
  out.once('close', () => {
    log[level]({ requestId: id, method, path, remoteAddress, status: out.statusCode }, 'completed request');
  });
}

// Our own messages are constant sentences; anything else may say too much.
function failure(error: unknown): Response {
  const message = error instanceof SealedVaultError ? error.message : 'internal error';
  return { kind: 'refusal', status: 500, errors: [message] };
}

// Express is loaded with the first request for a page: few engines ever see one.
function otherPages({ ui, settings, log }: EdgeOptions): RequestListener {
  let app: Promise<RequestListener> | undefined;
  return (message, out) => {
    if (!ui || !/^\/ui(?:[/?]|$)/.test(message.url ?? '')) {
      for (const [name, values] of Object.entries(settings()?.ui ?? {})) out.setHeader(name, values);
      const body = '{"errors":[]}\n';
      out.writeHead(404, {
        'Cache-Control': 'no-store',
        'Content-Type': 'application/json',
        'Content-Length': body.length,
      });
      out.end(body);
      return;
    }
    app ??= import('./pages.ts').then(({ createPages }) => createPages({ settings, log }));
    app.then(
      (pages) => pages(message, out),
      (err: unknown) => {
        log.error({ err }, 'the pages could not be loaded');
        out.destroy();
      },
    );
  };
}
