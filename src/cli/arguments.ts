/** What was given of a command's options. */
export class Arguments {
  readonly #options: ReadonlyMap<string, readonly string[]>;

  /** @param options values by the long names of options; a switch that is on has the value `true` */
  constructor(options: ReadonlyMap<string, readonly string[]>) {
    this.#options = options;
  }

  /** The options that were given. */
  get names(): readonly string[] {
    return [...this.#options.keys()];
  }

  /** Whether a switch is on. */
  on(name: string): boolean {
    return this.get(name) === 'true';
  }

  /** The last value of an option. */
  get(name: string): string | undefined {
    return this.#options.get(name)?.at(-1);
  }

  /** Every value of an option that may be given more than once. */
  all(name: string): readonly string[] {
    return this.#options.get(name) ?? [];
  }
}
