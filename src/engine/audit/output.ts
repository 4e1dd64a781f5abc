import { writeSync } from 'node:fs';

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
export class LineWriter {
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

/** Standard output. It belongs to the process: it is neither opened nor closed here. */
export class StdoutOutput implements Output {
  readonly #writer = new LineWriter(1);

  write(line: string): Promise<void> | undefined {
    return this.#writer.write(line);
  }

  reopen(): void {}

  async close(): Promise<void> {}
}

/** Takes every line, and keeps none. */
export class DiscardOutput implements Output {
  write(): undefined {}

  reopen(): void {}

  async close(): Promise<void> {}
}

/** A device that the configuration forbids by now: it takes nothing, so that nothing goes on unseen. */
export class RefusedOutput implements Output {
  readonly #why: string;

  constructor(why: string) {
    this.#why = why;
  }

  write(): Promise<void> {
    return Promise.reject(new Error(this.#why));
  }

  reopen(): void {
    throw new Error(this.#why);
  }

  async close(): Promise<void> {}
}
