import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { pino, type DestinationStream } from 'pino';
import type { Clock } from './clock.ts';
import { SealedVaultError } from './errors.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import type { LogFormat } from './log.ts';

export interface LogFileOptions {
  readonly path: string;
  /** 0: no limit. */
  readonly rotateBytes: number;
  readonly rotateDurationMs: number;
  /** Rotated files that are kept; 0: all; -1: none. */
  readonly rotateMaxFiles: number;
}

export class LogFileUnusable extends SealedVaultError {
  override readonly code = 'ERR_CONFIG_INVALID';
}

/**
 * Where the lines of a log go: standard error, and a file that is rotated.
 *
 * I1  A file that cannot be written stops nothing: it is told once on standard error, where every line goes as well.
 */
export class LogSink implements DestinationStream {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #standard: DestinationStream;
  #format: LogFormat = 'json';
  #file: RotatedFile | undefined;
  #broken = false;

  /** @param standard instead of standard error */
  constructor(clock: Pick<Clock, 'now'>, standard?: DestinationStream) {
    this.#clock = clock;
    this.#standard = standard ?? pino.destination({ fd: 2, sync: true });
  }

  /** @throws ERR_CONFIG_INVALID when the file cannot be opened */
  configure(format: LogFormat, file: LogFileOptions | undefined): void {
    const next = file === undefined ? undefined : new RotatedFile(file, this.#clock);
    this.#file?.close();
    this.#file = next;
    this.#format = format;
    this.#broken = false;
  }

  write(line: string): void {
    const text = this.#format === 'json' ? line : asStandardText(line);
    this.#standard.write(text);
    if (this.#file === undefined) return;
    try {
      this.#file.write(text);
      this.#broken = false;
    } catch {
      if (!this.#broken) this.#standard.write('{"level":"error","msg":"the log file cannot be written"}\n');
      this.#broken = true;
    }
  }
}

class RotatedFile {
  readonly #options: LogFileOptions;
  readonly #clock: Pick<Clock, 'now'>;
  #fd: number;
  #bytes = 0;
  #opened = 0;

  constructor(options: LogFileOptions, clock: Pick<Clock, 'now'>) {
    this.#options = options;
    this.#clock = clock;
    try {
      this.#fd = this.#open();
    } catch (cause) {
      throw new LogFileUnusable('log_file cannot be opened', {
        cause,
        hint: 'name a file in a folder that exists and that this user may write',
      });
    }
  }

  write(text: string): void {
    const { rotateBytes, rotateDurationMs } = this.#options;
    const size = Buffer.byteLength(text);
    const full = rotateBytes > 0 && this.#bytes > 0 && this.#bytes + size > rotateBytes;
    if (full || this.#clock.now() - this.#opened >= rotateDurationMs) this.#rotate();
    writeSync(this.#fd, text);
    this.#bytes += size;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #open(): number {
    const { path } = this.#options;
    // A FIFO without a reader would hold the whole process.
    if (existsSync(path) && !isRegular(path)) throw new TypeError('not a regular file');
    const fd = openSync(path, 'a', 0o640);
    this.#bytes = fstatSync(fd).size;
    this.#opened = this.#clock.now();
    return fd;
  }

  #rotate(): void {
    const { path, rotateMaxFiles } = this.#options;
    const extension = extname(path);
    const stem = basename(path, extension);
    const folder = dirname(path);
    const named = (stamp: number): string => join(folder, `${stem}-${stamp}${extension}`);
    let stamp = this.#clock.now();
    while (existsSync(named(stamp))) stamp += 1;
    // Somebody may have taken the file away.
    if (existsSync(path)) renameSync(path, named(stamp));
    const before = this.#fd;
    this.#fd = this.#open();
    closeSync(before);
    if (rotateMaxFiles === 0) return;
    const older = readdirSync(folder)
      .filter((name) => name.startsWith(`${stem}-`) && name.endsWith(extension))
      .map((name) => ({ name, stamp: name.slice(stem.length + 1, name.length - extension.length) }))
      .filter((each) => /^\d{13,}$/.test(each.stamp))
      .toSorted((a, b) => Number(b.stamp) - Number(a.stamp));
    for (const { name } of older.slice(Math.max(0, rotateMaxFiles)))
      rmSync(join(folder, name), { force: true });
  }
}

function isRegular(path: string): boolean {
  return statSync(path).isFile();
}

/** A line of JSON as Vault's text: `2026-01-02T03:04:05.678Z [INFO]  core: the vault is unsealed: clusterId=…`. */
function asStandardText(line: string): string {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return line;
  }
  if (!isJsonObject(entry)) return line;
  const { time, level, module, msg, ...fields } = entry as JsonObject;
  const name = `[${word(level).toUpperCase()}]`.padEnd(7);
  const where = module === undefined ? '' : `${word(module)}: `;
  const pairs = Object.entries(fields).map(([key, value]) => `${key}=${shown(value)}`);
  const end = pairs.length === 0 ? '' : `: ${pairs.join(' ')}`;
  return `${word(time)} ${name} ${where}${word(msg)}${end}\n`;
}

function word(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return typeof value === 'string' && /^[^\s"=]+$/.test(text)
    ? text
    : typeof value === 'string'
      ? JSON.stringify(text)
      : text;
}
