import { Aborted } from '../../../../src/lib/errors.ts';
import type { Clock } from '../../../../src/lib/clock.ts';

interface Sleeper {
  readonly due: number;
  readonly wake: () => void;
}

/** Time that passes when it is told to. */
export class FakeClock implements Clock {
  #now = 0;
  #sleepers: Sleeper[] = [];

  now(): number {
    return 1_800_000_000_000 + this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  sleep(ms: number, options?: { signal?: AbortSignal | undefined }): Promise<void> {
    const signal = options?.signal;
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.#sleepers = this.#sleepers.filter((sleeper) => sleeper !== own);
        reject(new Aborted('the wait was ended'));
      };
      const own: Sleeper = {
        due: this.#now + ms,
        wake: () => {
          signal?.removeEventListener('abort', stop);
          resolve();
        },
      };
      if (signal?.aborted === true) {
        reject(new Aborted('the wait was ended'));
        return;
      }
      this.#sleepers.push(own);
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  /** Lets time pass, waking each sleeper at its moment. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const next = this.#sleepers
        .filter((sleeper) => sleeper.due <= end)
        .toSorted((a, b) => a.due - b.due)[0];
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.due);
      this.#sleepers = this.#sleepers.filter((sleeper) => sleeper !== next);
      next.wake();
      await settle();
    }
    this.#now = end;
  }

  /** Lets time pass while nothing runs, as when the process is stopped. */
  stall(ms: number): void {
    this.#now += ms;
  }
}

/** Lets everything run that can. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}
