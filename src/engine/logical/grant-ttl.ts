import { formatDuration } from '../../lib/duration.ts';
import type { LeaseTtl } from './request.ts';

interface Wanted {
  readonly wanted: number;
  readonly period: number;
  readonly explicitMaxTtl: number;
}

/** The TTL that is granted, in seconds; a warning tells when it is less than asked for. */
export function grant(
  { wanted, period, explicitMaxTtl }: Wanted,
  limits: LeaseTtl,
  warnings: string[],
): number {
  if (period > 0) return explicitMaxTtl > 0 ? Math.min(period, explicitMaxTtl) : period;
  const max = explicitMaxTtl > 0 ? Math.min(explicitMaxTtl, limits.max) : limits.max;
  const ttl = wanted > 0 ? wanted : limits.default;
  if (ttl <= max) return ttl;
  if (wanted > 0) {
    warnings.push(
      `TTL of "${formatDuration(wanted)}" exceeded the effective max_ttl of "${formatDuration(max)}"; TTL value is capped accordingly`,
    );
  }
  return max;
}

/** A lifetime that is asked for; seconds, times since the epoch. */
export interface WantedLease {
  /** Of a renewal; 0 for none. */
  readonly increment: number;
  /** What the engine wants; 0 is the mount's. */
  readonly ttl: number;
  readonly maxTtl: number;
  readonly issueTime: number;
  readonly now: number;
}

/**
 * The TTL of a lease in seconds, counted from now: never beyond the maximum, which counts from its issue.
 * @returns undefined past the maximum
 */
export function leaseTtl(wanted: WantedLease, limits: LeaseTtl, warnings: string[]): number | undefined {
  const max = wanted.maxTtl > 0 ? Math.min(wanted.maxTtl, limits.max) : limits.max;
  const left = wanted.issueTime + max - wanted.now;
  if (left <= 0) return undefined;
  const ttl = wanted.increment > 0 ? wanted.increment : wanted.ttl > 0 ? wanted.ttl : limits.default;
  if (ttl <= left) return ttl;
  warnings.push(
    `TTL of "${formatDuration(ttl)}" exceeded the effective max_ttl of "${formatDuration(left)}"; TTL value is capped accordingly`,
  );
  return left;
}
