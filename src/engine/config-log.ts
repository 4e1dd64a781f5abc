import { extname, join, dirname, basename, isAbsolute } from 'node:path';
import type { HclBody } from '../lib/hcl/tree.ts';
import type { LogFormat, LogLevel } from '../lib/log.ts';
import {
  ConfigInvalid,
  type Environment,
  integer,
  level,
  milliseconds,
  scalar,
  variable,
} from './config-values.ts';

/** Where lines of the log go besides standard error, and when a file of it is full (Vault: log_file, log_rotate_…). */
export interface LogFileConfig {
  readonly path: string;
  /** 0: no limit. */
  readonly rotateBytes: number;
  readonly rotateDurationMs: number;
  /** Rotated files that are kept; 0: all; -1: none. */
  readonly rotateMaxFiles: number;
}

export interface LogConfig {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly file: LogFileConfig | undefined;
  /** At which level finished requests are logged; undefined: not at all. */
  readonly requestsLevel: Exclude<LogLevel, 'trace'> | undefined;
}

const DAY_MS = 86_400_000;

/**
 * Reads the settings of the log. What is given as a flag counts more than the environment, and that more than the file.
 * @param flags by the names of the keys
 * @throws ERR_CONFIG_INVALID
 */
export function parseLog(
  body: HclBody,
  env: Environment,
  flags: Readonly<Record<string, string>>,
): LogConfig {
  const read = (name: string): string | undefined => flags[name] ?? variable(env, name) ?? scalar(body, name);
  const format = (read('log_format') || 'json').toLowerCase();
  if (format !== 'json' && format !== 'standard')
    throw new ConfigInvalid('log_format is not supported', { hint: 'use json or standard' });
  const path = read('log_file') || undefined;
  const rotating = ['log_rotate_bytes', 'log_rotate_duration', 'log_rotate_max_files'].find(
    (name) => (flags[name] ?? scalar(body, name)) !== undefined,
  );
  if (path === undefined && rotating !== undefined)
    throw new ConfigInvalid(`${rotating} needs log_file`, { hint: 'name the file that is rotated' });
  const rotateBytes = integer(
    'log_rotate_bytes',
    flags['log_rotate_bytes'] ?? scalar(body, 'log_rotate_bytes'),
    0,
  );
  if (rotateBytes < 0) throw new ConfigInvalid('log_rotate_bytes cannot be negative');
  const rotateMaxFiles = integer(
    'log_rotate_max_files',
    flags['log_rotate_max_files'] ?? scalar(body, 'log_rotate_max_files'),
    0,
  );
  if (rotateMaxFiles < -1) throw new ConfigInvalid('log_rotate_max_files cannot be below -1');
  const duration = flags['log_rotate_duration'] ?? scalar(body, 'log_rotate_duration');
  return {
    level: level(read('log_level')),
    format,
    file:
      path === undefined
        ? undefined
        : {
            path: logFilePath(path),
            rotateBytes,
            rotateDurationMs: milliseconds('log_rotate_duration', duration, 0) || DAY_MS,
            rotateMaxFiles,
          },
    requestsLevel: requestsLevel(scalar(body, 'log_requests_level')),
  };
}

function requestsLevel(said: string | undefined): LogConfig['requestsLevel'] {
  if (said === undefined || said === '' || said === 'off') return undefined;
  const found = level(said, 'log_requests_level');
  return found === 'trace' ? 'debug' : found;
}

// Documentation of the flag: a path that ends in a slash gets a default name, one without extension gets `.log`.
function logFilePath(path: string): string {
  if (!isAbsolute(path)) throw new ConfigInvalid('log_file must be an absolute path');
  if (path.endsWith('/')) return join(path, 'vault.log');
  return extname(path) === '' ? join(dirname(path), `${basename(path)}.log`) : path;
}
