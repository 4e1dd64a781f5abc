import type { CeremonyCalls, RecoveryShares } from '../../../client/ceremony.ts';
import { VaultClientError } from '../../../client/errors.ts';

/** @returns who has the shares in force; undefined when the engine does not tell, now or at all */
export async function sharesInForce(
  calls: CeremonyCalls,
  signal: AbortSignal,
): Promise<RecoveryShares | undefined> {
  try {
    const reply = await calls.recoveryShares({ signal });
    return reply.ok ? reply.body : undefined;
  } catch (error) {
    if (error instanceof VaultClientError) return undefined;
    throw error;
  }
}

/** @returns the keys that proofs are checked with, by the names of the holders */
export function proofKeysOf({ holders }: Pick<RecoveryShares, 'holders'>): ReadonlyMap<string, string> {
  return new Map(holders.map(({ name, proofKey }) => [name, proofKey]));
}
