import { createInmem } from '../../src/engine/physical/inmem.ts';
import type { Physical, PhysicalOperation } from '../../src/engine/physical/physical.ts';

/**
 * A disk that outlives its machine: every engine gets its own connection to it, and one connection dies at a
 * chosen write, before or after the write is on the disk, as kill -9 or a power cut would have it. From then on
 * nothing of that connection reaches the disk.
 */
export class Disk {
  #held: PhysicalOperation[];

  private constructor(held: PhysicalOperation[]) {
    this.#held = held;
  }

  static empty(): Disk {
    return new Disk([]);
  }

  /** A second disk with the same content. */
  copy(): Disk {
    return new Disk(this.#held);
  }

  /** @param dies at which write of this connection, counted from 1 once armed, and on which side of it */
  async connect(dies?: { readonly at: number; readonly side: 'before' | 'after' }): Promise<Connection> {
    const memory = createInmem();
    await memory.write(this.#held);
    let armed = dies === undefined;
    let writes = 0;
    let dead = false;
    const gone = (): Promise<never> => Promise.reject(new Error('the machine is off'));
    const physical: Physical = {
      type: 'inmem',
      get: (key) => (dead ? gone() : memory.get(key)),
      list: (prefix, options) => (dead ? gone() : memory.list(prefix, options)),
      close: () => Promise.resolve(),
      write: async (operations) => {
        if (dead) return gone();
        if (armed) writes += 1;
        const last = dies !== undefined && armed && writes === dies.at;
        if (!last || dies?.side === 'after') {
          await memory.write(operations);
          this.#held = memory.dump();
        }
        if (!last) return;
        dead = true;
        return gone();
      },
    };
    return {
      physical,
      arm: () => {
        armed = true;
        writes = 0;
      },
      died: () => dead,
      writes: () => writes,
    };
  }
}

export interface Connection {
  readonly physical: Physical;
  /** Begins to count writes. */
  arm(): void;
  died(): boolean;
  writes(): number;
}
