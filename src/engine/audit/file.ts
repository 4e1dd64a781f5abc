import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { LineWriter, type Output } from './output.ts';
import { type AuditPlaces, placeBelow, PlaceRefused, refuseForeign, refuseReserved } from './place.ts';

/** How a file is written to. */
export interface FileOptions {
  readonly path: string;
  /** Of a file that is made; undefined for 0600. */
  readonly mode: number | undefined;
  /** Written before each line. */
  readonly prefix: string;
  /**
   * Whether the API named the path: then it has to be a file below the folder that the configuration names. A path of the
   * configuration itself may be a device or a pipe as well.
   */
  readonly named: 'api' | 'configuration';
  readonly places: AuditPlaces;
}

/**
 * A file that is appended to, and opened again on demand and after a failure.
 *
 * I1  Opening never waits: not for the reader of a pipe, nor for a device.
 * I2  What is there is only written to when it is empty or an audit log, and its mode stays.
 * I3  A path of the API is looked at each time it is opened, and no symbolic link leads out of its folder.
 */
export class FileOutput implements Output {
  readonly #options: FileOptions;
  #open: { readonly fd: number; readonly writer: LineWriter } | undefined;

  constructor(options: FileOptions) {
    this.#options = options;
  }

  write(line: string): Promise<void> | undefined {
    if (this.#open === undefined) this.reopen();
    return this.#open?.writer.write(line);
  }

  reopen(): void {
    const fd = openPlace(this.#options);
    const old = this.#open;
    this.#open = { fd, writer: new LineWriter(fd) };
    // A line that still waits must not end up in a descriptor that has become another file.
    if (old !== undefined) void old.writer.drained().then(() => closeSync(old.fd));
  }

  async close(): Promise<void> {
    const old = this.#open;
    this.#open = undefined;
    await old?.writer.drained();
    if (old !== undefined) closeSync(old.fd);
  }
}

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;

function openPlace({ path: given, mode = 0o600, prefix, named, places }: FileOptions): number {
  const byApi = named === 'api';
  const path = byApi ? placeBelow(places, given) : given;
  refuseReserved(places, path);
  makeFolders(dirname(path));
  const flags = O_APPEND | O_WRONLY | O_NONBLOCK | (byApi ? O_NOFOLLOW : 0);
  const made = attempt(() => openSync(path, flags | O_CREAT | O_EXCL, mode));
  const fd = made ?? openSync(path, flags);
  try {
    // The mode that was asked for, whatever the process's mask.
    if (made !== undefined) fchmodSync(fd, mode);
    else refuseWhatIsThere(fd, path, prefix, byApi);
    // Between the look and the opening a folder could have become a link.
    if (byApi && (realOf(fd) ?? path) !== path) throw new PlaceRefused('was moved while it was opened');
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function refuseWhatIsThere(fd: number, path: string, prefix: string, byApi: boolean): void {
  const isFile = fstatSync(fd).isFile();
  if (byApi && !isFile) throw new PlaceRefused('names what is no file');
  if (isFile) refuseForeign(path, prefix);
}

// Where the system does not say, the look before has to do.
function realOf(fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

/** @returns undefined when the file is there */
function attempt(open: () => number): number | undefined {
  try {
    return open();
  } catch (error) {
    if (Reflect.get(Object(error), 'code') === 'EEXIST') return undefined;
    throw error;
  }
}

// One by one: a recursive mkdir of Node never returns where a file system answers ENOENT to making a folder (/proc).
function makeFolders(folder: string): void {
  if (existsSync(folder)) return;
  const parent = dirname(folder);
  if (parent !== folder) makeFolders(parent);
  mkdirSync(folder, { mode: 0o700 });
}
