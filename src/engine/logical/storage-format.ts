import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { Storage } from './storage.ts';

/**
 * How a type of mount stores its data, where one of the mount's options says so (`version` of kv).
 *
 * I1  No other option of a mount reaches a plug-in: none can change how stored data is read.
 * I2  A change of format moves the data. There is no way back to an earlier format.
 */
export interface StorageFormat {
  readonly option: string;
  /** The oldest first; a mount that names none has the first. */
  readonly formats: readonly string[];
  /**
   * Moves data from the first format into another storage in the last one, for half a second at most. Nobody else reads
   * or writes either storage. It may be cut off anywhere, and is called again until nothing is left.
   * @returns whether nothing is left
   */
  upgrade(
    from: Storage,
    to: Storage,
    tools: { readonly clock: Clock; readonly random: Random },
  ): Promise<boolean>;
}

type Options = Readonly<Record<string, string>>;

/** The format of a stored mount; empty where a type has only one. */
export function formatOf(format: StorageFormat | undefined, options: Options | null): string {
  if (format === undefined) return '';
  const [first = ''] = format.formats;
  const named = options?.[format.option];
  return named !== undefined && format.formats.includes(named) ? named : first;
}

/** @returns why a mount cannot have these options, or cannot change to them; undefined when it can */
export function refuseFormat(
  format: StorageFormat | undefined,
  options: Options | null,
  before?: Options | null,
): string | undefined {
  const named = format === undefined ? undefined : options?.[format.option];
  if (format === undefined || named === undefined) return undefined;
  const { option, formats } = format;
  if (!formats.includes(named))
    return `invalid ${option} provided: ${JSON.stringify(named)}; it can be ${formats.join(' or ')}`;
  const current = before === undefined ? named : formatOf(format, before);
  return formats.indexOf(named) < formats.indexOf(current)
    ? `cannot downgrade mount from ${option} ${current}`
    : undefined;
}
