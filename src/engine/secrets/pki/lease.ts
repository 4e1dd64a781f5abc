import type { Response } from '../../logical/response.ts';

/**
 * The answer to a request under a role with generate_lease: what a lease needs is its answer, the serial number that is
 * to be revoked when it ends (revocation.ts), and its time.
 * @param _serial as clients see it
 * @param _ttl seconds
 */
export function withLease(answer: Response, _serial: string, _ttl: number): Response {
  return answer;
}
