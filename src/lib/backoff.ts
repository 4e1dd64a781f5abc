import type { Random } from './random.ts';

/** Capped exponential back-off with full jitter on the upper half. */
export interface BackoffOptions {
  /** First delay in milliseconds. */
  readonly initialMs: number;
  /** Upper bound in milliseconds. */
  readonly maxMs: number;
  readonly random: Pick<Random, 'fraction'>;
}

export class Backoff {
  readonly #options: BackoffOptions;
  #attempt = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  get attempt(): number {
    return this.#attempt;
  }

  /** @returns the next delay in milliseconds, between half of and the whole of the doubled one. */
  next(): number {
    const { initialMs, maxMs, random } = this.#options;
    const full = Math.min(maxMs, initialMs * 2 ** Math.min(this.#attempt, 30));
    this.#attempt += 1;
    return Math.round(full / 2 + (full / 2) * random.fraction());
  }

  reset(): void {
    this.#attempt = 0;
  }
}
