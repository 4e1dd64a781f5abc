import type { JsonObject } from '../../lib/json.ts';
import type { LeaseTtl } from './request.ts';

/** The lifetime that a secrets engine wants for a secret; times in seconds, 0 is the mount's. */
export interface SecretLease {
  readonly ttl: number;
  readonly maxTtl: number;
  readonly renewable: boolean;
  /** What the engine needs to renew or revoke the secret; kept with the lease, never shown. */
  readonly internal: JsonObject;
}

/** A lease as the engine that gave the secret sees it; times are seconds since the epoch. */
export interface HeldLease {
  readonly id: string;
  readonly internal: JsonObject;
  readonly issueTime: number;
  readonly expireTime: number;
  /** Seconds that a renewal asks for; 0 for the usual. */
  readonly increment: number;
  /** Limits of the mount. */
  readonly limits: LeaseTtl;
}

/** What an engine says of a renewal: the lifetime it wants now, or why not. */
export type SecretRenewal = { readonly ttl: number; readonly maxTtl: number } | { readonly refused: string };
