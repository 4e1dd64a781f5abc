interface Lane {
  /** The last work that had the key alone, while it runs or waits. */
  alone: Promise<unknown> | undefined;
  /** Shared work that came after it. */
  readonly shared: Set<Promise<unknown>>;
}

/**
 * Orders work by key, first come, first served. `run` has its key alone; `share` runs beside other shared work of the
 * key, and never beside a `run`. Work must not ask for a key that it holds.
 */
export class KeyedMutex {
  readonly #lanes = new Map<string, Lane>();

  /** Waits for all earlier work of the key, however it ends, then runs alone. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const lane = this.#lane(key);
    const before = [...(lane.alone === undefined ? [] : [lane.alone]), ...lane.shared];
    const turn = before.length === 0 ? work() : Promise.allSettled(before).then(work);
    lane.alone = turn;
    lane.shared.clear();
    try {
      return await turn;
    } finally {
      if (lane.alone === turn) lane.alone = undefined;
      this.#leave(key, lane);
    }
  }

  /** Waits for the last `run` of the key, however it ends, then runs beside other shared work. */
  async share<T>(key: string, work: () => Promise<T>): Promise<T> {
    const lane = this.#lane(key);
    const turn = lane.alone === undefined ? work() : lane.alone.then(work, work);
    lane.shared.add(turn);
    try {
      return await turn;
    } finally {
      lane.shared.delete(turn);
      this.#leave(key, lane);
    }
  }

  #lane(key: string): Lane {
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { alone: undefined, shared: new Set() };
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #leave(key: string, lane: Lane): void {
    if (lane.alone === undefined && lane.shared.size === 0 && this.#lanes.get(key) === lane)
      this.#lanes.delete(key);
  }
}
