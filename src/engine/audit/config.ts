import { parseDuration } from '../../lib/duration.ts';
import { SealedVaultError } from '../../lib/errors.ts';
import { hostAndPort, type SocketOptions } from './socket.ts';
import { facility } from './syslog.ts';

/** A device as the configuration or the API names it; options as text, with Vault's names. */
export interface AuditDeviceConfig {
  readonly type: 'file' | 'stdout' | 'socket' | 'syslog';
  /** The device's name in the API, ending in a slash. */
  readonly path: string;
  readonly options: Readonly<Record<string, string>>;
  readonly description?: string;
  readonly local?: boolean;
}

/** Where lines go. */
export type Target =
  | { readonly kind: 'stdout' | 'discard' }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number | undefined }
  | ({ readonly kind: 'socket' } & SocketOptions)
  | ({ readonly kind: 'syslog'; readonly facility: number; readonly tag: string } & SocketOptions);

export interface DeviceOptions {
  readonly target: Target;
  readonly format: 'json' | 'jsonx';
  readonly logRaw: boolean;
  readonly hmacAccessor: boolean;
  readonly elideListResponses: boolean;
  /** Written before each line. */
  readonly prefix: string;
}

export class AuditConfigInvalid extends SealedVaultError {
  override readonly code = 'ERR_CONFIG_INVALID';
}

type Option = (name: string) => string | undefined;
type Refuse = (name: string, problem: string) => never;

/** @returns whether devices of a type exist. */
export function isDeviceType(type: string): type is AuditDeviceConfig['type'] {
  return ['file', 'stdout', 'socket', 'syslog'].includes(type);
}

const COMMON = ['format', 'log_raw', 'hmac_accessor', 'elide_list_responses', 'prefix'];
const SOCKET = ['address', 'socket_type', 'write_timeout'];
const KNOWN: Readonly<Record<AuditDeviceConfig['type'], readonly string[]>> = {
  file: [...COMMON, 'file_path', 'path', 'mode'],
  stdout: COMMON,
  socket: [...COMMON, ...SOCKET],
  syslog: [...COMMON, ...SOCKET, 'facility', 'tag'],
};

/** Options of Vault Enterprise: a device that has one of them would leave entries out, or parts of them. */
const ENTERPRISE = ['filter', 'fallback', 'exclude'];
const NOTHING = ['', 'false', '0', '[]'];

/**
 * Refuses what the device would not do.
 * @throws ERR_CONFIG_INVALID naming the option
 */
export function checkOptions({ type, path, options }: AuditDeviceConfig): void {
  for (const [name, value] of Object.entries(options)) {
    const device = `audit device ${JSON.stringify(path)}`;
    if (ENTERPRISE.includes(name) && !NOTHING.includes(value.toLowerCase()))
      throw new AuditConfigInvalid(`${device}: ${name} is not supported: every entry is written whole`);
    if (!ENTERPRISE.includes(name) && !KNOWN[type].includes(name))
      throw new AuditConfigInvalid(`${device}: ${JSON.stringify(name)} is no option of type ${type}`);
  }
}

/** @throws ERR_CONFIG_INVALID naming the option */
export function parseDevice({ type, path, options }: AuditDeviceConfig): DeviceOptions {
  const option: Option = (name) => (Object.hasOwn(options, name) ? options[name] : undefined);
  const refuse: Refuse = (name, problem) => {
    throw new AuditConfigInvalid(`audit device ${JSON.stringify(path)}: ${name} ${problem}`);
  };
  const flag = (name: string, fallback: boolean): boolean => {
    const value = (option(name) ?? String(fallback)).toLowerCase();
    if (!['true', 'false', '1', '0'].includes(value)) refuse(name, 'must be true or false');
    return value === 'true' || value === '1';
  };
  const format = option('format') ?? 'json';
  if (format !== 'json' && format !== 'jsonx') return refuse('format', 'must be json or jsonx');
  return {
    target: targetOf(type, option, refuse),
    format,
    logRaw: flag('log_raw', false),
    hmacAccessor: flag('hmac_accessor', true),
    elideListResponses: flag('elide_list_responses', false),
    prefix: option('prefix') ?? '',
  };
}

function targetOf(type: AuditDeviceConfig['type'], option: Option, refuse: Refuse): Target {
  switch (type) {
    case 'stdout':
      return { kind: 'stdout' };
    case 'file':
      return fileTarget(option, refuse);
    case 'socket':
      return { kind: 'socket', ...socketOptions(option, refuse, option('socket_type') ?? 'tcp') };
    case 'syslog': {
      const number = facility(option('facility') ?? 'AUTH');
      if (number === undefined) return refuse('facility', 'is not a facility of syslog, such as AUTH');
      const tag = option('tag') ?? 'vault';
      if (!/^[!-~]{1,48}$/.test(tag)) refuse('tag', 'must be 1 to 48 printable characters without blanks');
      // Node has no datagram sockets of the Unix domain, so that /dev/log cannot be written to.
      const where = socketOptions(option, refuse, option('socket_type') ?? 'udp');
      return { kind: 'syslog', facility: number, tag, ...where };
    }
  }
}

function fileTarget(option: Option, refuse: Refuse): Target {
  const mode = option('mode') ?? '0600';
  if (!/^0?[0-7]{3}$/.test(mode) || /[1357]/.test(mode))
    refuse('mode', 'must be octal and without execution, such as 0600');
  const named = option('file_path') ?? option('path');
  if (named === undefined || named === '') return refuse('file_path', 'is required');
  if (named === 'stdout' || named === '/dev/stdout') return { kind: 'stdout' };
  if (named === 'discard' || named === '/dev/null') return { kind: 'discard' };
  return { kind: 'file', path: named, mode: Number.parseInt(mode, 8) || undefined };
}

function socketOptions(option: Option, refuse: Refuse, transport: string): SocketOptions {
  if (transport !== 'tcp' && transport !== 'udp' && transport !== 'unix')
    return refuse('socket_type', 'must be tcp, udp or unix');
  const address = option('address') ?? '';
  if (address === '') refuse('address', 'is required');
  const { port } = hostAndPort(address);
  if (transport !== 'unix' && !(Number.isInteger(port) && port > 0 && port < 65_536))
    refuse('address', 'must be host:port');
  const timeout = parseDuration(option('write_timeout') ?? '2s');
  if (timeout === undefined || timeout <= 0) return refuse('write_timeout', 'must be a duration, such as 2s');
  return { transport, address, timeoutMs: timeout * 1000 };
}
