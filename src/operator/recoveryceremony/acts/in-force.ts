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

/** @returns the keys that proofs of a ceremony of this type are checked with, by the names of the holders */
export function proofKeysOf(
  { holders, breakGlass }: Pick<RecoveryShares, 'holders' | 'breakGlass'>,
  type: string,
): ReadonlyMap<string, string> {
  const made = type === 'BreakGlass' ? breakGlass : holders;
  return new Map(made.map(({ name, proofKey }) => [name, proofKey]));
}
