import { BoundedMap } from '../../lib/bounded-map.ts';
import type { Clock } from '../../lib/clock.ts';

const THRESHOLD = 5;
const DURATION_MS = 15 * 60_000;
const NAMES = 100_000;

/** Names that failed to log in too often, refused for a while: 5 failures, 15 minutes, as Vault's defaults. In memory. */
export class Lockout {
  readonly #clock: Clock;
  readonly #failures = new BoundedMap<string, { readonly count: number; readonly last: number }>(NAMES);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isLocked(accessor: string, name: string): boolean {
    const found = this.#recent(key(accessor, name));
    return found !== undefined && found.count >= THRESHOLD;
  }

  failed(accessor: string, name: string): void {
    const id = key(accessor, name);
    this.#failures.set(id, { count: (this.#recent(id)?.count ?? 0) + 1, last: this.#clock.now() });
  }

  succeeded(accessor: string, name: string): void {
    this.#failures.delete(key(accessor, name));
  }

  #recent(id: string): { readonly count: number; readonly last: number } | undefined {
    const found = this.#failures.get(id);
    return found === undefined || found.last + DURATION_MS <= this.#clock.now() ? undefined : found;
  }
}

function key(accessor: string, name: string): string {
  return `${accessor}/${name.toLowerCase()}`;
}
