import { digestOf } from './canonical.ts';

/**
 * What happened in a ceremony, step by step, each entry holding the digest of the one before: leaving one out, changing
 * one or putting another order shows. The last digest is what witnesses and the engine sign.
 */
export interface EvidenceEntry {
  /** From 1. */
  readonly number: number;
  /** ISO 8601, UTC, of the server that saw it. */
  readonly time: string;
  /** Who did it: a person of the ceremony, `engine` or `operator`. */
  readonly who: string;
  /** What was done, such as `approved`; evidence-steps of docs/ceremonies.md. */
  readonly step: string;
  /** What there is to know about it; never a secret. */
  readonly facts: Readonly<Record<string, string>>;
  /** Digest of the entry before; of the manifest for the first. */
  readonly previous: string;
}

/** @returns the digest that the next entry holds, and witnesses sign */
export function entryDigest(entry: EvidenceEntry): string {
  return digestOf({ ...entry, facts: { ...entry.facts } });
}

/** @returns the log with one more entry; the log as it is when its last entry says the same already */
export function appended(
  log: readonly EvidenceEntry[],
  manifestDigest: string,
  event: Pick<EvidenceEntry, 'time' | 'who' | 'step' | 'facts'>,
): readonly EvidenceEntry[] {
  return [...log, { number: log.length + 1, ...event, previous: headOf(log, manifestDigest) }];
}

/** @returns the digest of the last entry; that of the manifest when there is none */
export function headOf(log: readonly EvidenceEntry[], manifestDigest: string): string {
  const last = log.at(-1);
  return last === undefined ? manifestDigest : entryDigest(last);
}

/** @returns what is wrong with a log, undefined when it is whole */
export function brokenLink(log: readonly EvidenceEntry[], manifestDigest: string): string | undefined {
  let previous = manifestDigest;
  for (const [index, entry] of log.entries()) {
    if (entry.number !== index + 1) return `entry ${index + 1} has the number ${entry.number}`;
    if (entry.previous !== previous) return `entry ${entry.number} does not follow the one before it`;
    previous = entryDigest(entry);
  }
  return undefined;
}
