import { type AddressTemplateInvalid, renderAddress, systemInterfaces } from '../lib/address-template.ts';
import { blocks } from '../lib/hcl/hcl.ts';
import type { HclBody } from '../lib/hcl/tree.ts';
import type { JsonLimits } from '../lib/json-limits.ts';
import { parseResponseHeaders, type ResponseHeaders } from './config-headers.ts';
import { checkKeys, TCP_KEYS, UNIX_KEYS } from './config-keys.ts';
import {
  type ForwardedForConfig,
  parseForwardedFor,
  parseProxyProtocol,
  type ProxyProtocolConfig,
} from './config-proxies.ts';
import { parseTls, type TlsConfig } from './config-tls.ts';
import { ConfigInvalid, flag, integer, milliseconds, type NamedBlock, scalar } from './config-values.ts';

export interface ListenerConfig {
  /** Empty for a Unix socket. */
  readonly host: string;
  readonly port: number;
  /** Undefined: TCP. */
  readonly unix: UnixSocketConfig | undefined;
  /** Undefined: plain HTTP. */
  readonly tls: TlsConfig | undefined;
  /** Bytes; larger bodies are refused with 413. */
  readonly maxRequestSize: number;
  /** What a JSON body may be made of; without a good token it may be less. */
  readonly json: JsonLimits;
  readonly maxRequestDurationMs: number;
  readonly timeouts: HttpTimeouts;
  /** Families of quorum endpoints that need no token here. */
  readonly open: readonly OpenFamily[];
  readonly forwardedFor: ForwardedForConfig | undefined;
  readonly proxyProtocol: ProxyProtocolConfig | undefined;
  readonly responseHeaders: ResponseHeaders;
}

export type OpenFamily = 'rekey' | 'generate-root' | 'metrics';

export interface UnixSocketConfig {
  readonly path: string;
  /** Bits; undefined: as the umask has them. */
  readonly mode: number | undefined;
  /** Name or number. */
  readonly user: string | undefined;
  readonly group: string | undefined;
}

/** Milliseconds; 0 is no limit. */
export interface HttpTimeouts {
  readonly readHeaderMs: number;
  readonly readMs: number;
  readonly writeMs: number;
  readonly idleMs: number;
}

const MAX_REQUEST_SIZE = 32 * 1024 * 1024;
// sockaddr_un.sun_path, with its final zero.
const MAX_SOCKET_PATH = 107;

/** What a listener takes from the whole file. */
export interface ListenerDefaults {
  /** `enable_unauthenticated_access`. */
  readonly everywhere: readonly string[];
  readonly maxRequestDurationMs: number;
}

/** @throws ERR_CONFIG_INVALID */
export function parseListener(
  { type, body }: NamedBlock,
  { everywhere, maxRequestDurationMs }: ListenerDefaults,
  warnings: string[],
): ListenerConfig {
  if (type !== 'tcp' && type !== 'unix')
    throw new ConfigInvalid('a listener is of an unknown type', {
      hint: 'use listener "tcp" or listener "unix"',
    });
  checkKeys(body, type === 'tcp' ? TCP_KEYS : UNIX_KEYS, `listener.${type}.`, warnings);
  const address = scalar(body, 'address');
  const unix = type === 'unix' ? parseSocket(address, body) : undefined;
  const { host, port } =
    unix === undefined
      ? parseAddress(rendered('listener.tcp.address', address ?? '127.0.0.1:8200'))
      : { host: '', port: 0 };
  const tlsDisable = scalar(body, 'tls_disable');
  // A Unix socket has TLS only where it is asked for.
  const plain = unix !== undefined && tlsDisable === undefined && scalar(body, 'tls_cert_file') === undefined;
  return {
    host,
    port,
    unix,
    tls: plain || flag('tls_disable', tlsDisable) ? undefined : parseTls(body),
    maxRequestSize: integer('max_request_size', scalar(body, 'max_request_size'), 0) || MAX_REQUEST_SIZE,
    json: {
      maxDepth: limit(body, 'max_json_depth', 300),
      maxStringValueLength: limit(body, 'max_json_string_value_length', 1_048_576),
      maxObjectEntryCount: limit(body, 'max_json_object_entry_count', 10_000),
      maxArrayElementCount: limit(body, 'max_json_array_element_count', 10_000),
      maxTokens: limit(body, 'max_json_token', 200_000),
    },
    maxRequestDurationMs:
      milliseconds('max_request_duration', scalar(body, 'max_request_duration'), 0) || maxRequestDurationMs,
    timeouts: {
      readHeaderMs: milliseconds(
        'http_read_header_timeout',
        scalar(body, 'http_read_header_timeout'),
        10_000,
      ),
      readMs: milliseconds('http_read_timeout', scalar(body, 'http_read_timeout'), 30_000),
      writeMs: milliseconds('http_write_timeout', scalar(body, 'http_write_timeout'), 0),
      idleMs: milliseconds('http_idle_timeout', scalar(body, 'http_idle_timeout'), 300_000),
    },
    open: openFamilies(body, everywhere),
    forwardedFor: parseForwardedFor(body),
    proxyProtocol: parseProxyProtocol(body),
    responseHeaders: parseResponseHeaders(body),
  };
}

// Vault takes 0 for its default.
function limit(body: HclBody, name: string, fallback: number): number {
  const given = integer(name, scalar(body, name), 0);
  if (given < 0) throw new ConfigInvalid(`${name} must not be negative`);
  return given === 0 ? fallback : given;
}

// The peers' two ways of saying it: a switch of the listener, or a list for all listeners.
function openFamilies(body: HclBody, everywhere: readonly string[]): OpenFamily[] {
  const families = {
    rekey: 'disable_unauthed_rekey_endpoints',
    'generate-root': 'disable_unauthed_generate_root_endpoints',
  } as const;
  const open = (Object.keys(families) as (keyof typeof families)[]).filter((family) => {
    const disabled = scalar(body, families[family]);
    return disabled === undefined ? everywhere.includes(family) : !flag(families[family], disabled);
  });
  const metrics = blocks(body, 'telemetry').some(({ body: each }) =>
    flag('unauthenticated_metrics_access', scalar(each, 'unauthenticated_metrics_access')),
  );
  return metrics ? [...open, 'metrics'] : open;
}

function parseSocket(path: string | undefined, body: HclBody): UnixSocketConfig {
  if (path === undefined || !path.startsWith('/') || Buffer.byteLength(path) > MAX_SOCKET_PATH)
    throw new ConfigInvalid('the address of listener "unix" must be the path of a socket', {
      hint: `write address = "/run/sealedvault/api.sock", of at most ${MAX_SOCKET_PATH} bytes`,
    });
  const mode = scalar(body, 'socket_mode') || undefined;
  if (mode !== undefined && !/^0?[0-7]{3}$/.test(mode))
    throw new ConfigInvalid('socket_mode must be the mode of a file', { hint: 'write for example "660"' });
  return {
    path,
    mode: mode === undefined ? undefined : Number.parseInt(mode, 8),
    user: scalar(body, 'socket_user') || undefined,
    group: scalar(body, 'socket_group') || undefined,
  };
}

/** An address with its templates evaluated. @throws ERR_CONFIG_INVALID */
export function rendered(name: string, address: string): string {
  try {
    return renderAddress(address, systemInterfaces);
  } catch (cause) {
    const { message, hint } = cause as AddressTemplateInvalid;
    throw new ConfigInvalid(`${name}: ${message}`, { cause, ...(hint === undefined ? {} : { hint }) });
  }
}

function parseAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[(?<six>[^\]]+)\]|(?<four>[^:]*)):(?<port>\d+)$/.exec(address);
  const port = Number(match?.groups?.['port']);
  if (match === null || port > 65_535) {
    throw new ConfigInvalid('a listener address cannot be read', {
      hint: 'write "host:port", with an IPv6 host in brackets',
    });
  }
  return { host: match.groups?.['six'] ?? (match.groups?.['four'] || '0.0.0.0'), port };
}

/** How clients reach the first listener, when nothing else is said. */
export function defaultAddress([first]: readonly ListenerConfig[]): string {
  if (first === undefined || first.unix !== undefined) return '';
  const host = ['::', '0.0.0.0'].includes(first.host) ? '127.0.0.1' : first.host;
  return `${first.tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${first.port}`;
}
