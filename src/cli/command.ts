/** An option of a command. */
export interface Option {
  /** The long name, without dashes. */
  readonly name: string;
  /** One letter that means the same. */
  readonly short?: string;
  /** What its value is, as the help names it; without it, the option is a switch. */
  readonly value?: string;
  /** The only values that it takes. */
  readonly choices?: readonly string[];
  /** The command cannot do without it. */
  readonly required?: true;
  readonly what: string;
}

/** A command: everything that may be written behind it. */
export interface Command {
  /** What it is called by: `ceremony submit`. */
  readonly words: readonly string[];
  /** What it is done to, as the help names each: `NAME|FILE`. */
  readonly operands: readonly string[];
  readonly what: string;
  readonly options: readonly Option[];
  /** Lines below the options in its help. */
  readonly notes?: readonly string[];
}

/** A program: what it is called on a command line, and all that it does. */
export interface Program {
  readonly name: string;
  readonly commands: readonly Command[];
}
