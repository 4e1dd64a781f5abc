import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** Where lines go. */
export interface Output {
  /**
   * Written when it returns nothing; else when the promise resolves. @throws or rejects with the system's error
   */
  write(line: string): Promise<void> | undefined;
  /** @throws the system's error; what was open before stays open then */
  reopen(): Promise<void> | void;
  close(): Promise<void>;
}

/** How long a reader of a pipe may keep lines waiting. */
const STALLED_MS = 5_000;
const RETRY_MS = 5;
const NEWLINE = Buffer.from('\n');

/**
 * Lines to a descriptor, in their order, each whole. A write into the page cache takes microseconds, less than
 * a trip to another thread: so it is done at once. Only a pipe that is full makes lines wait.
 */
class LineWriter {
  readonly #fd: number;
  #waiting: Promise<void> | undefined;
  #broken = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(line: string): Promise<void> | undefined {
    const bytes = Buffer.from(line);
    if (this.#waiting !== undefined) return this.#queue(bytes, 0);
    const written = this.#attempt(bytes, 0);
    return written === bytes.length ? undefined : this.#queue(bytes, written);
  }

  /** Resolves when no line waits any more. */
  async drained(): Promise<void> {
    await this.#waiting?.catch(() => {});
  }

  /** @returns the offset reached: short of the end when the descriptor takes no more at the moment */
  #attempt(bytes: Uint8Array, from: number): number {
    let offset = from;
    try {
      if (this.#broken && offset === 0) {
        writeSync(this.#fd, NEWLINE);
        this.#broken = false;
      }
      while (offset < bytes.length) offset += writeSync(this.#fd, bytes, offset);
    } catch (error) {
      if (Reflect.get(Object(error), 'code') === 'EAGAIN') return offset;
      if (offset > 0) this.#broken = true;
      throw error;
    }
    return offset;
  }

  #queue(bytes: Uint8Array, from: number): Promise<void> {
    const before = this.#waiting ?? Promise.resolve();
    const done = before.catch(() => {}).then(() => this.#retry(bytes, from));
    this.#waiting = done;
    const settle = (): void => {
      if (this.#waiting === done) this.#waiting = undefined;
    };
    done.then(settle, settle);
    return done;
  }

  async #retry(bytes: Uint8Array, from: number): Promise<void> {
    let offset = from;
    for (let waited = 0; ; waited += RETRY_MS) {
      offset = this.#attempt(bytes, offset);
      if (offset === bytes.length) return;
      if (waited >= STALLED_MS) {
        if (offset > 0) this.#broken = true;
        throw new Error('the reader of the audit device takes no more');
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** A file that is appended to, and opened again on demand and after a failure. */
export class FileOutput implements Output {
  readonly #path: string;
  readonly #mode: number | undefined;
  #open: { readonly fd: number; readonly writer: LineWriter } | undefined;

  constructor(path: string, mode: number | undefined) {
    this.#path = path;
    this.#mode = mode;
  }

  write(line: string): Promise<void> | undefined {
    if (this.#open === undefined) this.reopen();
    return this.#open?.writer.write(line);
  }

  reopen(): void {
    makeFolders(dirname(this.#path));
    const { O_APPEND, O_CREAT, O_WRONLY } = constants;
    const fd = openSync(this.#path, O_APPEND | O_CREAT | O_WRONLY, this.#mode ?? 0o600);
    try {
      if (this.#mode !== undefined && fstatSync(fd).isFile()) chmodSync(this.#path, this.#mode);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
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

// One by one: a recursive mkdir of Node never returns where a file system answers ENOENT to making a folder (/proc).
function makeFolders(folder: string): void {
  if (existsSync(folder)) return;
  const parent = dirname(folder);
  if (parent !== folder) makeFolders(parent);
  mkdirSync(folder, { mode: 0o700 });
}

/** Standard output. It belongs to the process: it is neither opened nor closed here. */
export class StdoutOutput implements Output {
  readonly #writer = new LineWriter(1);

  write(line: string): Promise<void> | undefined {
    return this.#writer.write(line);
  }

  reopen(): void {}

  async close(): Promise<void> {}
}
