import type { Clock } from '../../lib/clock.ts';
import type { Arguments } from '../arguments.ts';
import { wrongUsage } from './failure.ts';
import type { Terminal } from './terminal.ts';

/** What a verb is given: what the person typed, and the world around. */
export interface CeremonyContext {
  readonly args: Arguments;
  /** Words after the verb. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly terminal: Terminal;
  readonly clock: Pick<Clock, 'now'>;
}

/** @returns the value of a flag that a verb cannot do without */
export function required({ args }: CeremonyContext, flag: string, what: string): string {
  const value = args.get(flag);
  if (value === undefined || value === '') throw wrongUsage(`--${flag} is missing`, what);
  return value;
}

/** @returns the one word that a verb takes */
export function oneWord({ words }: CeremonyContext, what: string): string {
  const [word, ...more] = words;
  if (word === undefined || more.length > 0) throw wrongUsage(`Exactly one ${what} must be given`);
  return word;
}
