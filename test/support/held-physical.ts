import type { Physical, PhysicalOperation } from '../../src/engine/physical/physical.ts';

/** A storage that parks the next write whose keys are wanted, until it is told to go on: other calls go by. */
export class HeldPhysical implements Physical {
  readonly #physical: Physical;
  #wanted: ((key: string) => boolean) | undefined;
  #arrived: (() => void) | undefined;
  #release: (() => void) | undefined;

  constructor(physical: Physical) {
    this.#physical = physical;
  }

  get type(): string {
    return this.#physical.type;
  }

  /** @returns a promise of the moment in which such a write is parked */
  hold(wanted: (key: string) => boolean): Promise<void> {
    this.#wanted = wanted;
    return new Promise((resolve) => {
      this.#arrived = resolve;
    });
  }

  release(): void {
    this.#release?.();
  }

  async write(operations: readonly PhysicalOperation[]): Promise<void> {
    if (this.#wanted !== undefined && operations.some(({ key }) => this.#wanted?.(key))) {
      this.#wanted = undefined;
      await new Promise<void>((resolve) => {
        this.#release = resolve;
        this.#arrived?.();
      });
    }
    await this.#physical.write(operations);
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#physical.get(key);
  }

  list(...args: Parameters<Physical['list']>): Promise<string[]> {
    return this.#physical.list(...args);
  }

  close(): Promise<void> {
    return this.#physical.close();
  }
}
