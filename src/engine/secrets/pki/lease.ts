import type { HeldLease } from '../../logical/lease.ts';
import type { Response } from '../../logical/response.ts';
import type { Pki } from './context.ts';
import { Refused } from './refused.ts';

/**
 * The answer to a request under a role with generate_lease: its certificate is revoked when the lease ends, and is as
 * long-lived as the lease, so that there is nothing to renew.
 * @param serial as clients see it
 * @param ttl seconds that the certificate has left
 */
export function withLease(told: Response, serial: string, ttl: number): Response {
  if (told.kind !== 'data' || told.data === null) return told;
  const { data, warnings = [] } = told;
  return {
    kind: 'secret',
    data,
    lease: { ttl, maxTtl: 0, renewable: false, internal: { serial_number: serial } },
    warnings,
  };
}

/** Ends a lease. A certificate that has been tidied away needs no revocation. */
export async function revokeLeased(pki: Pki, { internal }: HeldLease): Promise<void> {
  const { serial_number: serial } = internal;
  if (typeof serial !== 'string') throw new TypeError('the lease of a certificate names no serial number');
  const { revokeSerial } = await import('./revocation.ts');
  const refused = await revokeSerial(pki, serial);
  if (refused instanceof Refused) throw new TypeError(refused.message);
}
