import {
  createServer as createHttp,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttps, type Server as HttpsServer } from 'node:https';
import { SealedVaultError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { CoreRequest } from '../core/context.ts';
import type { Response } from '../logical/response.ts';
import { acceptList } from './list-method.ts';
import type { BodyLimits } from './body.ts';
import { answerCors, type CorsSource } from './cors.ts';
import { isParseRefusal, parseRequest } from './parse.ts';
import { render } from './render.ts';

/**
 * The HTTP edge. `/v1/*` goes from node:http straight to the pipeline; `/ui/*` belongs to
 * Express, when the configuration wants pages; there is nothing else.
 *
 * I1  A request that cannot be parsed has a documented status and touches nothing.
 * I2  A defect is a 500 without its text; the log has the id, the code and the cause.
 * I3  Bodies, tokens and queries are never logged.
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
  /** Whether the ceremony page is served. */
  readonly ui: boolean;
  /** Families of quorum endpoints that need no token on this listener. */
  readonly open: CoreRequest['open'];
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
}

/** A server that is not listening yet. */
export function createEdge(options: EdgeOptions, tls: TlsMaterial | undefined): Server | HttpsServer {
  const pages = otherPages(options);
  // Without an authority of the listener's own, Node would trust the system's.
  const verifiesClients = tls?.ca !== undefined && tls.askClientCert;
  const listener: RequestListener = (message, out) => {
    if (message.url?.startsWith('/v1/') === true) void serve(message, out, { ...options, verifiesClients });
    else pages(message, out);
  };
  // Slow peers must not hold connections for ever; the limits are Vault's defaults. They are looked at each second,
  // where Node would look every 30: a peer that dribbles is cut when its time is over.
  const limits = {
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    keepAliveTimeout: 300_000,
    connectionsCheckingInterval: 1000,
  };
  const server =
    tls === undefined
      ? createHttp(limits, listener)
      : createHttps(
          {
            ...limits,
            cert: tls.cert,
            key: tls.key,
            minVersion: tls.minVersion,
            ...(tls.ca === undefined ? {} : { ca: tls.ca }),
            // Asked for without an authority too: the auth method cert has authorities of its own.
            requestCert: tls.askClientCert,
            rejectUnauthorized: tls.requireClientCert,
          },
          listener,
        );
  acceptList(server);
  return server;
}

async function serve(
  message: IncomingMessage,
  out: ServerResponse,
  options: EdgeOptions & { readonly verifiesClients: boolean },
): Promise<void> {
  const requestId = options.random.uuid();
  const head = message.method === 'HEAD';
  const gone = new AbortController();
  out.once('close', () => {
    if (!out.writableFinished) gone.abort();
  });
  try {
    if (message.headers.origin !== undefined && answerCors(message, out, options.settings())) return;
    const request = await parseRequest(message, {
      limits: options.limits,
      isGood: options.isGood,
      open: options.open,
      verifiesClients: options.verifiesClients,
      requestId,
      signal: gone.signal,
    });
    if (isParseRefusal(request)) {
      // What is left of the body is not read.
      if (!message.complete) out.setHeader('Connection', 'close');
      render({ kind: 'refusal', status: request.status, errors: [request.message] }, requestId, out, head);
      return;
    }
    render(await options.handle(request), requestId, out, head);
  } catch (err) {
    if (gone.signal.aborted) {
      options.log.debug({ requestId }, 'the client went away');
      return;
    }
    options.log.error({ err, requestId }, 'a request failed');
    if (!out.headersSent)
      render({ kind: 'refusal', status: 500, errors: [publicMessage(err)] }, requestId, out, head);
    else out.destroy();
  }
}

// Our own messages are constant sentences; anything else may say too much.
function publicMessage(error: unknown): string {
  return error instanceof SealedVaultError ? error.message : 'internal error';
}

// Express is loaded with the first request for a page: few engines ever see one.
function otherPages({ ui, settings, log }: EdgeOptions): RequestListener {
  let app: Promise<RequestListener> | undefined;
  return (message, out) => {
    if (!ui || !/^\/ui(?:[/?]|$)/.test(message.url ?? '')) {
      for (const [name, values] of Object.entries(settings()?.ui ?? {})) out.setHeader(name, values);
      out.writeHead(404, { 'Content-Type': 'application/json' });
      out.end('{"errors":[]}\n');
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
