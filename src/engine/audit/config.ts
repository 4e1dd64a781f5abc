import { SealedVaultError } from '../../lib/errors.ts';

/** A device as the configuration names it; options as text, with Vault's names. */
export interface AuditDeviceConfig {
  readonly type: 'file' | 'stdout';
  /** The device's name in the API, ending in a slash. */
  readonly path: string;
  readonly options: Readonly<Record<string, string>>;
}

export interface DeviceOptions {
  /** Undefined for standard output. */
  readonly file: string | undefined;
  /** Of the file; undefined leaves an existing file's mode alone. */
  readonly mode: number | undefined;
  readonly logRaw: boolean;
  readonly hmacAccessor: boolean;
  readonly elideListResponses: boolean;
  /** Written before each line. */
  readonly prefix: string;
}

export class AuditConfigInvalid extends SealedVaultError {
  override readonly code = 'ERR_CONFIG_INVALID';
}

/** @throws ERR_CONFIG_INVALID naming the option */
export function parseDevice({ type, path, options }: AuditDeviceConfig): DeviceOptions {
  const option = (name: string): string | undefined =>
    Object.hasOwn(options, name) ? options[name] : undefined;
  const refuse = (name: string, problem: string): never => {
    throw new AuditConfigInvalid(`audit device ${JSON.stringify(path)}: ${name} ${problem}`);
  };
  const flag = (name: string, fallback: boolean): boolean => {
    const value = option(name) ?? String(fallback);
    if (value !== 'true' && value !== 'false') refuse(name, 'must be true or false');
    return value === 'true';
  };
  if ((option('format') ?? 'json') !== 'json') refuse('format', 'must be json');
  const mode = option('mode') ?? '0600';
  if (!/^0?[0-7]{3}$/.test(mode) || /[1357]/.test(mode))
    refuse('mode', 'must be octal and without execution, such as 0600');
  const named = type === 'file' ? (option('file_path') ?? option('path')) : 'stdout';
  if (named === undefined || named === '') return refuse('file_path', 'is required');
  return {
    file: named === 'stdout' ? undefined : named === 'discard' ? '/dev/null' : named,
    mode: Number.parseInt(mode, 8) || undefined,
    logRaw: flag('log_raw', false),
    hmacAccessor: flag('hmac_accessor', true),
    elideListResponses: flag('elide_list_responses', false),
    prefix: option('prefix') ?? '',
  };
}
