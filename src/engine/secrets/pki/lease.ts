import type { HeldLease } from '../../logical/lease.ts';
import type { Response } from '../../logical/response.ts';
import type { Pki } from './context.ts';
import { Refused } from './refused.ts';

/**
 * The answer to a request under a role with generate_lease: the certificate is revoked when its lease ends.
 * @param serial as clients see it
 * @param ttl seconds
 */
export function withLease(answer: Response, serial: string, ttl: number): Response {
  if (answer.kind !== 'data' || answer.data === null) return answer;
  return {
    kind: 'secret',
    data: answer.data,
    lease: { ttl, maxTtl: 0, renewable: false, internal: { serial_number: serial } },
    ...(answer.warnings === undefined ? {} : { warnings: answer.warnings }),
  };
}

/** Revokes the certificate of a lease that ended. A throw is tried again. */
export async function endLease(pki: Pki, { internal }: HeldLease): Promise<void> {
  const serial = internal['serial_number'];
  if (typeof serial !== 'string') return;
  const { revokeSerial } = await import('./revocation.ts');
  const refused = await revokeSerial(pki, serial);
  if (refused instanceof Refused) throw new TypeError('a leased certificate could not be revoked');
}
