import type { Clock } from '../../../lib/clock.ts';
import { Backoff } from '../../../lib/backoff.ts';
import type { Random } from '../../../lib/random.ts';

/** How a queue waits. */
export interface QueueOptions {
  readonly clock: Clock;
  readonly random: Pick<Random, 'fraction'>;
  /** First delay of a key that failed; doubled each time. */
  readonly initialMs?: number;
  readonly maxMs?: number;
}

/**
 * A queue of keys for several workers. A key waits in it at most once; one that is added while it is worked on
 * comes again when it is done. So no key is worked on twice at once, and its last event is never lost.
 */
export class WorkQueue {
  readonly #options: QueueOptions;
  readonly #ready = new Set<string>();
  readonly #processing = new Set<string>();
  readonly #dirty = new Set<string>();
  readonly #waiting = new Map<string, { readonly due: number; readonly cancel: AbortController }>();
  readonly #failures = new Map<string, Backoff>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #closed = false;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  /** Keys that wait for a worker. */
  get depth(): number {
    return this.#ready.size;
  }

  /** Keys that are worked on. */
  get active(): number {
    return this.#processing.size;
  }

  /** Wants a key to be worked on. */
  add(key: string): void {
    if (this.#closed) return;
    if (this.#processing.has(key)) {
      this.#dirty.add(key);
      return;
    }
    const taker = this.#ready.has(key) ? undefined : this.#takers.shift();
    if (taker === undefined) this.#ready.add(key);
    else {
      this.#processing.add(key);
      taker(key);
    }
  }

  /** Wants a key to be worked on in some milliseconds; of several such wishes the earliest holds. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    if (ms <= 0) {
      this.add(key);
      return;
    }
    const due = this.#options.clock.monotonic() + ms;
    const before = this.#waiting.get(key);
    if (before !== undefined && before.due <= due) return;
    before?.cancel.abort();
    const cancel = new AbortController();
    const entry = { due, cancel };
    this.#waiting.set(key, entry);
    this.#options.clock.sleep(ms, { signal: cancel.signal }).then(
      () => {
        if (this.#waiting.get(key) === entry) this.#waiting.delete(key);
        this.add(key);
      },
      () => undefined,
    );
  }

  /** Wants a key that failed to be tried again, later each time. @returns the delay in milliseconds */
  retry(key: string): number {
    let backoff = this.#failures.get(key);
    if (backoff === undefined) {
      const { initialMs = 5, maxMs = 300_000, random } = this.#options;
      backoff = new Backoff({ initialMs, maxMs, random });
      this.#failures.set(key, backoff);
    }
    const delay = backoff.next();
    this.addAfter(key, delay);
    return delay;
  }

  /** Forgets that a key ever failed. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** Waits for a key to work on; undefined when the queue is closed. Each key must be given back with done(). */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const [key] = this.#ready;
    if (key === undefined) return new Promise((resolve) => this.#takers.push(resolve));
    this.#ready.delete(key);
    this.#processing.add(key);
    return Promise.resolve(key);
  }

  /** Gives a key back; it comes again at once when it was added meanwhile. */
  done(key: string): void {
    if (!this.#processing.delete(key)) return;
    if (this.#dirty.delete(key)) this.add(key);
  }

  /** Hands out nothing more; who waits gets undefined. */
  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#waiting.values()) cancel.abort();
    this.#waiting.clear();
    this.#ready.clear();
    this.#dirty.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }
}
