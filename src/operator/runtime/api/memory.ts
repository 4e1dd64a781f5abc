import type { KubeObject } from '../runtime.ts';

/** What was last written of an object. */
export interface Written {
  readonly hash: string;
  /** The version that the caches knew when it was written; undefined when there was no object. */
  readonly before: string | undefined;
  readonly uid: string | undefined;
  readonly version: string | undefined;
  readonly generation: number | undefined;
  /** Monotonic milliseconds. */
  readonly at: number;
}

const MAX_ENTRIES = 20_000;

/** What this process wrote, by object; hashes and versions alone. It is lost with the process, and that is no harm. */
export class Memory {
  readonly #entries = new Map<string, Written>();

  get(id: string): Written | undefined {
    return this.#entries.get(id);
  }

  set(
    id: string,
    hash: string,
    before: string | undefined,
    answer: KubeObject | undefined,
    at: number,
  ): void {
    const { uid, resourceVersion: version, generation } = answer?.metadata ?? {};
    this.#entries.delete(id);
    this.#entries.set(id, { hash, before, uid, version, generation, at });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > MAX_ENTRIES && oldest !== undefined) this.#entries.delete(oldest);
  }

  /** Forgets an object, so that it is written again. */
  forget(id: string): void {
    this.#entries.delete(id);
  }
}
