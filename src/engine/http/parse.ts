import { fromBase64, text as decode } from '../../lib/bytes.ts';
import type { IncomingMessage } from 'node:http';
import { type DetailedPeerCertificate, TLSSocket } from 'node:tls';
import type { JsonObject } from '../../lib/json.ts';
import type { CoreRequest } from '../core/context.ts';
import { wrapTtl } from '../core/wrapping.ts';
import type { ClientPlace } from './client-place.ts';
import { type BodyLimits, BodyRefusal, countOf, mayBeLarge, readBody } from './body.ts';
import { LIST_AS } from './list-method.ts';

/** Why a request is refused before anything looks at its content. */
export interface ParseRefusal {
  readonly status: number;
  readonly message: string;
}

export interface ParseOptions {
  readonly limits: BodyLimits;
  /** Whether a token is good; undefined when there is no telling, as in a sealed vault. */
  readonly isGood: (token: string) => Promise<boolean | undefined>;
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
const MAX_PARAMETERS = 1000;
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
  const search = mark === -1 ? '' : url.slice(mark + 1);
  if (countOf(search, '&') >= MAX_PARAMETERS)
    return { status: 400, message: `the query has more than ${MAX_PARAMETERS} parameters` };
  const query = mark === -1 ? undefined : new URLSearchParams(search);
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

  const token = tokenOf(headers['x-vault-token'], headers.authorization);
  const body =
    operation === 'update' || operation === 'patch' || (operation === 'delete' && hasBody(message))
      ? await readBody(message, {
          limits: options.limits,
          mayBeLarge: await mayBeLarge(message, token, options.isGood),
          hasToken: token !== '',
          type: JSON_ONLY.test(path) ? '' : mediaType(headers['content-type']),
        })
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
    token,
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
