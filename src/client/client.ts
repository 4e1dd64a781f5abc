import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate, type TLSSocket } from 'node:tls';
import { isJsonObject, type Json, type JsonObject, parseJson } from '../lib/json.ts';
import { VaultClientError } from './errors.ts';
import type { Health, InitAnswer, InitRequest, Leader, SealBackends, SealStatus } from './messages.ts';

/**
 * A client of the Vault API as far as an operator needs it: state, and initialization.
 *
 * I1  It connects to an address (a pod's IP) and verifies the certificate for a name, so it needs no cluster DNS;
 *     an unverified server is never talked to.
 * I2  Every call ends: by its signal, or by the deadline for the whole exchange, connection included.
 * I3  A status is an answer, not an error: 503 of a sealed vault is what was asked for. What throws is what
 *     could not be asked or understood (ERR_VAULT_CLIENT, with the kind of failure).
 * I4  No body of a request or of an answer is ever part of an error.
 */
export interface VaultClientOptions {
  /** IP address or host name to connect to. */
  readonly host: string;
  readonly port?: number;
  /** The name that the server's certificate must carry. */
  readonly servername: string;
  /** PEM of the authorities to trust; no other is. */
  readonly authority: string;
  /** PEM of a client certificate and its key. */
  readonly identity?: { readonly certificate: string; readonly key: string };
  /** Milliseconds for one exchange. */
  readonly timeoutMs?: number;
}

/** A parsed answer. */
export interface Answer<T> {
  readonly status: number;
  readonly body: T;
  /** The moment at which the server's certificate expires. */
  readonly certificateExpires: Date | undefined;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds, in place of the client's. */
  readonly timeoutMs?: number;
}

const MAX_BODY = 4 * 1024 * 1024;
const DEFAULT_TIMEOUT = 5_000;

export class VaultClient {
  readonly #options: VaultClientOptions;

  constructor(options: VaultClientOptions) {
    this.#options = options;
  }

  /** The state of the answering server, with status 200, 429, 501 or 503. */
  health(options: CallOptions = {}): Promise<Answer<Health>> {
    return this.#call('GET', '/v1/sys/health', undefined, options, readHealth);
  }

  /** What seals the vault, and what is wrong with that. */
  sealStatus(options: CallOptions = {}): Promise<Answer<SealStatus>> {
    return this.#call('GET', '/v1/sys/seal-status', undefined, options, readSealStatus);
  }

  /** How what seals the vault fares; the body is undefined when the server does not tell. */
  sealBackends(options: CallOptions = {}): Promise<Answer<SealBackends | undefined>> {
    return this.#call('GET', '/v1/sys/seal-backend-status', undefined, options, (body, status) =>
      status === 200 ? readSealBackends(body) : undefined,
    );
  }

  /** Which server is active. */
  leader(options: CallOptions = {}): Promise<Answer<Leader>> {
    return this.#call('GET', '/v1/sys/leader', undefined, options, (body) => ({
      isSelf: body['is_self'] === true,
      leaderAddress: textOf(body['leader_address']),
    }));
  }

  /** Whether the vault has been initialized. */
  async initialized(options: CallOptions = {}): Promise<boolean> {
    const answer = await this.#call('GET', '/v1/sys/init', undefined, options, (body) => body['initialized']);
    if (typeof answer.body !== 'boolean') throw malformed(answer.status);
    return answer.body;
  }

  /** Initializes the vault. A refusal is an answer with status 400 or more. */
  init(request: InitRequest, options: CallOptions = {}): Promise<Answer<InitAnswer>> {
    return this.#call('PUT', '/v1/sys/init', request, { timeoutMs: 60_000, ...options }, (body, status) =>
      status === 200 ? { ok: true, ...readInit(body, status) } : { ok: false, errors: texts(body['errors']) },
    );
  }

  /** Any other call, such as a read of a secret; `path` is without `/v1/`. Every status is an answer. */
  async request(
    method: string,
    path: string,
    body?: object,
    options: CallOptions & { readonly token?: string } = {},
  ): Promise<Answer<JsonObject | undefined>> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const raw = await this.#exchange(method, `/v1/${path.replace(/^\//, '')}`, text, options);
    const parsed = raw.text === '' ? undefined : parseAnswer(raw.text, raw.status);
    return { status: raw.status, body: parsed, certificateExpires: raw.expires };
  }

  async #call<T>(
    method: string,
    path: string,
    body: object | undefined,
    options: CallOptions,
    read: (body: JsonObject, status: number) => T,
  ): Promise<Answer<T>> {
    const raw = await this.#exchange(
      method,
      path,
      body === undefined ? undefined : JSON.stringify(body),
      options,
    );
    const parsed = parseAnswer(raw.text, raw.status);
    return { status: raw.status, body: read(parsed, raw.status), certificateExpires: raw.expires };
  }

  #exchange(
    method: string,
    path: string,
    body: string | undefined,
    options: CallOptions & { readonly token?: string },
  ): Promise<{ status: number; text: string; expires: Date | undefined }> {
    const { host, port = 8200, servername, authority, identity, timeoutMs } = this.#options;
    const deadline = AbortSignal.timeout(options.timeoutMs ?? timeoutMs ?? DEFAULT_TIMEOUT);
    const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown): void => reject(VaultClientError.from(cause, deadline.aborted));
      const sent = httpsRequest(
        {
          host,
          port,
          // An address is no server name (RFC 6066 §3); the certificate must carry it all the same.
          servername: isIP(servername) === 0 ? servername : '',
          checkServerIdentity: (_host, certificate) => checkServerIdentity(servername, certificate),
          method,
          path,
          ca: authority,
          ...(identity === undefined ? {} : { cert: identity.certificate, key: identity.key }),
          minVersion: 'TLSv1.2',
          agent: false,
          signal,
          headers: {
            host: servername,
            accept: 'application/json',
            'x-vault-request': 'true',
            ...(options.token === undefined ? {} : { 'x-vault-token': options.token }),
            ...(body === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
          },
        },
        (response) => {
          const expires = expiry((response.socket as TLSSocket).getPeerCertificate());
          const chunks: Buffer[] = [];
          let size = 0;
          response.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > MAX_BODY) response.destroy(new VaultClientError('answer', 'the answer is too long'));
            else chunks.push(chunk);
          });
          response.once('error', fail);
          response.once('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              text: Buffer.concat(chunks).toString('utf8'),
              expires,
            }),
          );
        },
      );
      sent.once('error', fail);
      sent.end(body);
    });
  }
}

function parseAnswer(text: string, status: number): JsonObject {
  let parsed: Json;
  try {
    parsed = parseJson(text);
  } catch {
    throw malformed(status);
  }
  if (!isJsonObject(parsed)) throw malformed(status);
  return parsed;
}

function expiry(certificate: Partial<PeerCertificate>): Date | undefined {
  return certificate.valid_to === undefined ? undefined : new Date(certificate.valid_to);
}

function readHealth(body: JsonObject, status: number): Health {
  const { initialized, sealed, standby } = body;
  if (typeof initialized !== 'boolean' || typeof sealed !== 'boolean') throw malformed(status);
  return { initialized, sealed, standby: standby === true, version: textOf(body['version']) };
}

function readSealStatus(body: JsonObject, status: number): SealStatus {
  const { type, initialized, sealed } = body;
  if (typeof type !== 'string' || typeof initialized !== 'boolean' || typeof sealed !== 'boolean') {
    throw malformed(status);
  }
  return { type, initialized, sealed, version: textOf(body['version']), warnings: texts(body['warnings']) };
}

function readSealBackends(body: JsonObject): SealBackends {
  const { key, backends, next_restart_would_fail: restart } = body;
  const configured =
    Array.isArray(backends) && backends.some((each) => isJsonObject(each) && each['configured'] === true);
  return {
    healthy: body['healthy'] === true,
    configured,
    fullyWrapped: body['fully_wrapped'] === true,
    breakGlass:
      Array.isArray(backends) &&
      backends.some((each) => isJsonObject(each) && each['name'] === 'break-glass'),
    restartKnown: typeof restart === 'boolean',
    restartFailure:
      restart === true
        ? { code: textOf(body['next_restart_reason']), message: textOf(body['next_restart_message']) }
        : undefined,
    key:
      key !== undefined && isJsonObject(key)
        ? { strong: key['strong'] === true, warnings: texts(key['warnings']) }
        : undefined,
  };
}

function readInit(body: JsonObject, status: number): { recoveryKeys: string[]; rootToken: string } {
  const recoveryKeys = texts(body['recovery_keys_base64']);
  const rootToken = body['root_token'] ?? '';
  if (typeof rootToken !== 'string') throw malformed(status);
  return { recoveryKeys, rootToken };
}

function malformed(status: number): VaultClientError {
  return new VaultClientError('answer', 'the answer is not one of the Vault API', { status });
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

function texts(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
