/** A command line: words, and flags as Vault's command takes them (`-name=value`, `--name value`, `-name`). */
export class Arguments {
  readonly words: readonly string[];
  readonly #flags: ReadonlyMap<string, readonly string[]>;

  /** @param switches flags that take no value from the word after them */
  constructor(args: readonly string[], switches: readonly string[]) {
    const words: string[] = [];
    const flags = new Map<string, string[]>();
    for (let index = 0; index < args.length; index += 1) {
      const argument = args[index] ?? '';
      const match = /^--?([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(argument);
      if (match === null) {
        words.push(argument);
        continue;
      }
      const [, name = '', value] = match;
      const next = args[index + 1];
      const takesNext =
        value === undefined &&
        next !== undefined &&
        (next === '-' || !next.startsWith('-')) &&
        !switches.includes(name);
      if (takesNext) index += 1;
      flags.set(name, [...(flags.get(name) ?? []), value ?? (takesNext ? next : '')]);
    }
    this.words = words;
    this.#flags = flags;
  }

  /** The flags that were given. */
  get names(): readonly string[] {
    return [...this.#flags.keys()];
  }

  has(name: string): boolean {
    return this.#flags.has(name);
  }

  /** Whether a switch is on: `-name`, `-name=true`. */
  on(name: string): boolean {
    const value = this.get(name);
    return value !== undefined && !['false', '0', 'f'].includes(value.toLowerCase());
  }

  /** The last value of a flag. */
  get(name: string): string | undefined {
    return this.#flags.get(name)?.at(-1);
  }

  /** Every value of a flag that may be given more than once. */
  all(name: string): readonly string[] {
    return this.#flags.get(name) ?? [];
  }
}
