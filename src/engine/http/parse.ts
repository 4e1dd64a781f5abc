import { fromBase64, text as decode, toBase64 } from '../../lib/bytes.ts';
import type { IncomingMessage } from 'node:http';
import { type DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { Aborted } from '../../lib/errors.ts';
import { isJsonObject, type JsonObject, MAX_JSON_DEPTH, parseJson } from '../../lib/json.ts';
import type { CoreRequest } from '../core/context.ts';
import { wrapTtl } from '../core/wrapping.ts';
import type { ClientPlace } from './client-place.ts';
import { LIST_AS } from './list-method.ts';

/** Why a request is refused before anything looks at its content. */
export interface ParseRefusal {
  readonly status: number;
  readonly message: string;
}

// A class, because a body may have members of any name.
class BodyRefusal implements ParseRefusal {
  readonly status: number;
  readonly message: string;
  constructor(status: number, message: string) {
    this.status = status;
    this.message = message;
  }
}

export interface ParseOptions {
  readonly maxRequestSize: number;
  readonly open: CoreRequest['open'];
  /** Whether the listener has an authority against which it verifies clients. */
  readonly verifiesClients: boolean;
  readonly place: ClientPlace;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

const OPERATIONS: Readonly<Record<string, CoreRequest['operation']>> = {
  GET: 'read',
  HEAD: 'read',
  [LIST_AS]: 'list',
  PUT: 'update',
  POST: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};
const MAX_PATH = 1500;
// What was no JSON must not initialize a vault, nor begin anything else that share holders are asked for.
const JSON_ONLY = /^sys\/(?:init|unseal|rekey|rekey-recovery-key|generate-root)(?:\/|$)/;
const MAX_CHAIN = 16;
// strconv.ParseBool of Go.
const TRUE = /^(?:1|t|T|TRUE|true|True)$/;
const FALSE = /^(?:0|f|F|FALSE|false|False)$/;
const none: JsonObject = {};

/** Reads method, path, query, token and body; nothing of it is believed. */
export async function parseRequest(
  message: IncomingMessage,
  options: ParseOptions,
): Promise<CoreRequest | ParseRefusal> {
  const url = message.url ?? '';
  const mark = url.indexOf('?');
  const path = decodePath(mark === -1 ? url.slice(4) : url.slice(4, mark));
  if (typeof path !== 'string') return path;
  const query = mark === -1 ? undefined : new URLSearchParams(url.slice(mark + 1));
  let operation = OPERATIONS[message.method ?? ''];
  if (operation === undefined) return { status: 405, message: 'unsupported method' };
  const asList = message.method === 'GET' ? (query?.get('list') ?? '') : '';
  if (TRUE.test(asList)) operation = 'list';
  else if (asList !== '' && !FALSE.test(asList))
    return { status: 400, message: 'list must be true or false' };

  const { headers } = message;
  const namespace = headers['x-vault-namespace']?.toString() ?? '';
  if (!/^(?:|root\/?|\/)$/.test(namespace))
    return { status: 400, message: 'namespaces are not supported: leave out X-Vault-Namespace' };
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (encoding !== '' && encoding !== 'identity')
    return { status: 415, message: 'Content-Encoding is not supported: send the body as it is' };
  const wrap = wrapTtl(String(headers['x-vault-wrap-ttl'] ?? '0'));
  if (wrap === undefined) return { status: 400, message: 'X-Vault-Wrap-TTL must be a duration, such as 5m' };
  if (operation === 'patch' && !isMergePatch(headers['content-type'])) {
    return {
      status: 415,
      message: `PATCH requires Content-Type of application/merge-patch+json, provided ${mediaType(headers['content-type'])}`,
    };
  }

  const body =
    operation === 'update' || operation === 'patch' || (operation === 'delete' && hasBody(message))
      ? await readBody(
          message,
          options.maxRequestSize,
          JSON_ONLY.test(path) ? '' : mediaType(headers['content-type']),
        )
      : none;
  if (body instanceof BodyRefusal) return body;
  const { socket } = message;
  const { place } = options;
  return {
    id: options.requestId,
    path: operation === 'list' && !path.endsWith('/') && path !== '' ? `${path}/` : path,
    operation,
    method: message.method === LIST_AS ? 'LIST' : (message.method ?? ''),
    headers,
    body,
    query,
    token: tokenOf(headers['x-vault-token'], headers.authorization),
    wrapTtl: wrap,
    remoteAddress: place.address,
    remotePort: place.port,
    clientName: options.verifiesClients && !place.forwarded ? clientName(socket) : undefined,
    clientCertificates: certificatesOf(place, socket),
    credentials: credentialsOf(headers.authorization),
    open: options.open,
    signal: options.signal,
  };
}

// A deletion rarely has a body, and is not slowed down by looking for one.
function hasBody({ headers }: IncomingMessage): boolean {
  return (headers['content-length'] ?? '0') !== '0' || headers['transfer-encoding'] !== undefined;
}

export function isParseRefusal(value: CoreRequest | ParseRefusal): value is ParseRefusal {
  return 'status' in value;
}

function decodePath(raw: string): string | ParseRefusal {
  let path = raw;
  if (raw.includes('%')) {
    try {
      path = decodeURIComponent(raw);
    } catch {
      return { status: 400, message: 'the path is not valid percent-encoded UTF-8' };
    }
  }
  if (path.length > MAX_PATH || Buffer.byteLength(path) > MAX_PATH)
    return { status: 400, message: `the path is longer than ${MAX_PATH} bytes` };
  if (path.includes('..') && path.split('/').includes('..'))
    return { status: 400, message: 'the path must not contain ".."' };
  if (/\p{Cc}/u.test(path)) return { status: 400, message: 'the path must not contain control characters' };
  return path;
}

async function readBody(
  message: IncomingMessage,
  limit: number,
  type: string,
): Promise<JsonObject | BodyRefusal> {
  const length = Number(message.headers['content-length'] ?? 0);
  const bytes = limit > 0 && length > limit ? undefined : await collect(message, limit);
  if (bytes === undefined) return new BodyRefusal(413, 'request body too large');
  // RFC 6960 A.1: a binary body, for the one endpoint that takes it as its field req.
  if (type === 'application/ocsp-request') return { req: toBase64(bytes) };
  const text = bytes.toString('utf8');
  if (text === '' || text.trim() === '') return none;
  // curl calls JSON a form unless it is told otherwise.
  if (type === 'application/x-www-form-urlencoded' && !text.trimStart().startsWith('{')) return form(text);
  try {
    const value = parseJson(text);
    if (value === null) return none;
    if (isJsonObject(value)) return value;
    return new BodyRefusal(400, 'failed to decode JSON input: the body must be a JSON object');
  } catch (error) {
    if (error instanceof RangeError)
      return new BodyRefusal(
        400,
        `failed to decode JSON input: nested more than ${MAX_JSON_DEPTH} levels deep`,
      );
    // The parser's message quotes the body.
    return new BodyRefusal(400, 'failed to decode JSON input: the body is not valid JSON');
  }
}

// A field that is given more than once has all its values, between commas.
function form(text: string): JsonObject {
  const fields = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : `${before},${value}`);
  }
  return Object.fromEntries(fields);
}

// By events: an async iterator over a stream costs more than all the rest of reading a small body.
function collect(message: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    message.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (limit > 0 && size > limit) {
        message.pause();
        resolve(undefined);
      } else chunks.push(chunk);
    });
    message.once('end', () => {
      const [first] = chunks;
      resolve(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks));
    });
    message.once('error', reject);
    message.once('aborted', () => reject(new Aborted('the client went away')));
  });
}

function tokenOf(header: string | string[] | undefined, authorization: string | undefined): string {
  if (typeof header === 'string' && header !== '') return header;
  return authorization?.startsWith('Bearer ') === true ? authorization.slice(7).trim() : '';
}

function credentialsOf(authorization: string | undefined): CoreRequest['credentials'] {
  if (authorization?.startsWith('Basic ') !== true) return undefined;
  const bytes = fromBase64(authorization.slice('Basic '.length).trim());
  const pair = bytes === undefined ? '' : decode(bytes);
  const colon = pair.indexOf(':');
  return colon === -1 ? undefined : { user: pair.slice(0, colon), secret: pair.slice(colon + 1) };
}

// The connection of a forwarded request is the proxy's, and so is its certificate.
function certificatesOf(
  { forwarded, certificate }: ClientPlace,
  socket: IncomingMessage['socket'],
): CoreRequest['clientCertificates'] {
  if (forwarded) return certificate === undefined ? undefined : () => [certificate];
  return socket instanceof TLSSocket ? () => presented(socket) : undefined;
}

function clientName(socket: IncomingMessage['socket']): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const name: unknown = socket.getPeerCertificate().subject?.CN;
  return typeof name === 'string' ? name : undefined;
}

// The chain as Node has it ends with a certificate that names itself as its issuer, or with none.
function presented(socket: TLSSocket): Uint8Array[] {
  const found: Uint8Array[] = [];
  let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (certificate?.raw !== undefined && found.length < MAX_CHAIN) {
    found.push(certificate.raw);
    if (certificate.issuerCertificate === certificate) break;
    certificate = certificate.issuerCertificate;
  }
  return found;
}

function isMergePatch(contentType: string | undefined): boolean {
  return mediaType(contentType) === 'application/merge-patch+json';
}

function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}
