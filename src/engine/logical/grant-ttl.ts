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
