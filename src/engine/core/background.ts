import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Router } from '../mount/mount.ts';

/** Work that is done again and again while the vault is open. */
export interface Chore {
  readonly everyMs: number;
  /** The log's line when it fails. */
  readonly failure: string;
  readonly run: (signal: AbortSignal) => Promise<unknown>;
}

/** Runs a chore until the signal fires; a failure is logged, and the next turn comes. Never rejects. */
export async function repeat(chore: Chore, clock: Clock, log: Logger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await clock.sleep(chore.everyMs, { signal });
      await chore.run(signal);
    } catch (err) {
      if (!signal.aborted) log.error({ err }, chore.failure);
    }
  }
}

/** Gives time to the mounted backends: none waits for another, and none is called while its last turn still runs. */
export class Ticker {
  readonly #router: Router;
  readonly #log: Logger;
  readonly #running = new Map<string, Promise<void>>();

  constructor(router: Router, log: Logger) {
    this.#router = router;
    this.#log = log;
  }

  tick(): Promise<void> {
    for (const { entry, backend, tainted } of this.#router.all()) {
      if (backend.tick === undefined || tainted === true || this.#running.has(entry.accessor)) continue;
      const turn = backend.tick().catch((err: unknown) => {
        this.#log.error({ err, mount: entry.path }, 'the background work of a mount failed');
      });
      this.#running.set(entry.accessor, turn);
      void turn.finally(() => this.#running.delete(entry.accessor));
    }
    return Promise.resolve();
  }

  /** Waits for the turns that run. */
  async idle(): Promise<void> {
    await Promise.all(this.#running.values());
  }
}
