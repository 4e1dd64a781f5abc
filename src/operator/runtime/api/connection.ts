import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingMessage,
  request as httpRequest,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { Aborted } from '../../../lib/errors.ts';
import type { Clock } from '../../../lib/clock.ts';
import { type Credentials, type CredentialSource, credentialSource } from './credentials.ts';
import { KubeApiError } from '../errors.ts';
import type { Metrics } from '../report/metrics.ts';
import { readBody, statusError } from './answer.ts';

/** One call to the API server. */
export interface ApiCall {
  /** The API's verb: get, list, watch, create, update, patch, delete. */
  readonly verb: string;
  readonly resource: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path with query. */
  readonly path: string;
  readonly body?: object;
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal: AbortSignal;
  /** Milliseconds for the whole call, or for the headers of a stream. */
  readonly timeoutMs?: number;
  /** Does not wait when the API server asked everybody to slow down: for the lease. */
  readonly urgent?: boolean;
}

/** The only way to the API server. */
export interface Connection {
  /** @returns the decoded answer. @throws KubeApiError, or Aborted when the signal fired */
  request(call: ApiCall): Promise<unknown>;
  /** Opens a stream; the caller reads or destroys it. */
  open(call: ApiCall): Promise<IncomingMessage>;
  close(): void;
}

/** What a connection is made of. */
export interface ConnectionOptions {
  readonly kubeconfig: string | undefined;
  readonly clock: Clock;
  readonly metrics?: Metrics;
  readonly userAgent?: string;
}

const TIMEOUT_MS = 30_000;
const CREDENTIALS_MS = 10_000;
const MAX_PAUSE_MS = 60_000;

/** @returns a connection for a kubeconfig, or for the pod's service account. @throws KubeApiError when it cannot be read */
export function connect(options: ConnectionOptions): Connection {
  return new HttpConnection(options, credentialSource(options.kubeconfig));
}

class HttpConnection implements Connection {
  readonly #options: ConnectionOptions;
  readonly #source: CredentialSource;
  #credentials: { readonly value: Credentials; readonly until: number } | undefined;
  #agent: { readonly identity: string; readonly agent: HttpAgent | HttpsAgent } | undefined;
  #rejected = false;
  #notBefore = 0;

  constructor(options: ConnectionOptions, source: CredentialSource) {
    this.#options = options;
    this.#source = source;
  }

  async request(call: ApiCall): Promise<unknown> {
    const timeout = AbortSignal.timeout(call.timeoutMs ?? TIMEOUT_MS);
    const signal = AbortSignal.any([call.signal, timeout]);
    try {
      const response = await this.#answer(call, signal);
      return await readBody(response);
    } catch (error: unknown) {
      throw this.#failed(call, error, timeout);
    }
  }

  async open(call: ApiCall): Promise<IncomingMessage> {
    const headers = new AbortController();
    const timeout = AbortSignal.timeout(call.timeoutMs ?? TIMEOUT_MS);
    const onTimeout = (): void => headers.abort();
    timeout.addEventListener('abort', onTimeout, { once: true });
    try {
      return await this.#answer(call, AbortSignal.any([call.signal, headers.signal]));
    } catch (error: unknown) {
      throw this.#failed(call, error, timeout);
    } finally {
      // Only the headers were limited: the stream itself may last.
      timeout.removeEventListener('abort', onTimeout);
    }
  }

  close(): void {
    this.#agent?.agent.destroy();
    this.#agent = undefined;
  }

  async #answer(call: ApiCall, signal: AbortSignal): Promise<IncomingMessage> {
    const wait = this.#notBefore - this.#options.clock.monotonic();
    if (wait > 0 && call.urgent !== true) await this.#options.clock.sleep(wait, { signal });
    const credentials = await this.#current();
    let response: IncomingMessage;
    try {
      response = await this.#send(call, credentials, signal);
    } catch (error: unknown) {
      // The server may close a kept connection while we send on it; that says nothing of the server.
      if (!(error instanceof StaleSocket) || call.method === 'POST' || signal.aborted) throw error;
      response = await this.#send(call, credentials, signal);
    }
    const status = response.statusCode ?? 0;
    this.#options.metrics?.apiRequest(call.verb, status);
    if (status < 400) return response;
    if (status === 401) this.#rejected = true;
    const error = await statusError(call, response);
    if (error.retryAfterMs !== undefined && status === 429) this.#pause(error.retryAfterMs);
    throw error;
  }

  #pause(ms: number): void {
    this.#notBefore = this.#options.clock.monotonic() + Math.min(ms, MAX_PAUSE_MS);
  }

  #failed(call: ApiCall, error: unknown, timeout: AbortSignal): Error {
    if (error instanceof KubeApiError) return error;
    if (call.signal.aborted) return new Aborted('a call to the Kubernetes API was ended');
    const cause = error instanceof StaleSocket ? error.cause : error;
    const code: unknown = cause instanceof Error ? Reflect.get(cause, 'code') : undefined;
    const reason = timeout.aborted ? 'Timeout' : typeof code === 'string' ? code : 'Connection';
    this.#options.metrics?.apiRequest(call.verb, 0);
    return new KubeApiError({ verb: call.verb, resource: call.resource, status: 0, reason }, { cause });
  }

  async #current(): Promise<Credentials> {
    const now = this.#options.clock.monotonic();
    if (this.#credentials !== undefined && !this.#rejected && now < this.#credentials.until)
      return this.#credentials.value;
    const value = await this.#source(this.#rejected);
    this.#rejected = false;
    this.#credentials = { value, until: now + CREDENTIALS_MS };
    return value;
  }

  #send(call: ApiCall, credentials: Credentials, signal: AbortSignal): Promise<IncomingMessage> {
    const payload = call.body === undefined ? undefined : new TextEncoder().encode(JSON.stringify(call.body));
    const options = {
      method: call.method,
      agent: this.#agentOf(credentials),
      signal,
      headers: {
        ...credentials.headers,
        accept: call.accept ?? 'application/json',
        'user-agent': this.#options.userAgent ?? 'sealedvault-operator',
        ...(payload === undefined
          ? {}
          : {
              'content-type': call.contentType ?? 'application/json',
              'content-length': String(payload.length),
            }),
      },
    };
    const base = credentials.server;
    const url = new URL(`${base.pathname.replace(/\/$/, '')}${call.path}`, base);
    return new Promise((resolve, reject) => {
      const request: ClientRequest =
        url.protocol === 'http:' ? httpRequest(url, options, resolve) : httpsRequest(url, options, resolve);
      request.on('error', (error) => reject(request.reusedSocket ? new StaleSocket(error) : error));
      request.end(payload);
    });
  }

  #agentOf(credentials: Credentials): HttpAgent | HttpsAgent {
    const { server, ca, cert, key, servername, insecure } = credentials;
    const identity = JSON.stringify([server.origin, ca, cert, key, servername, insecure]);
    if (this.#agent?.identity === identity) return this.#agent.agent;
    // Requests under way keep their sockets; the old agent only keeps no more of them.
    const keep = { keepAlive: true, keepAliveMsecs: 10_000, maxFreeSockets: 16 };
    const agent =
      server.protocol === 'http:'
        ? new HttpAgent(keep)
        : new HttpsAgent({
            ...keep,
            ...(ca === undefined ? {} : { ca }),
            ...(cert === undefined ? {} : { cert }),
            ...(key === undefined ? {} : { key }),
            ...(servername === undefined ? {} : { servername }),
            rejectUnauthorized: !insecure,
            minVersion: 'TLSv1.2',
          });
    this.#agent = { identity, agent };
    return agent;
  }
}

class StaleSocket extends Error {
  constructor(cause: unknown) {
    super('a kept connection was closed', { cause });
  }
}
