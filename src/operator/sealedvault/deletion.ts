import type { SealedVault } from './kind.ts';

/**
 * What a vault's end takes with it. The finalizer is there exactly when the policy is Delete, because only then is
 * there something to do that owner references do not do.
 *
 *                 | Retain                      | Delete
 *  not deleting   | finalizer away              | finalizer there
 *  deleting       | finalizer away: data stays  | pods, then volumes and authority, then finalizer
 */
export const FINALIZER = 'sealedvault.io/data';

export type DeletionStep =
  /** Nothing to change; go on with the vault. */
  | 'keep'
  | 'add-finalizer'
  /** The vault stays. */
  | 'remove-finalizer'
  /** The object is on its way out and nothing holds it. */
  | 'gone'
  | 'stop-pods'
  | 'delete-data'
  | 'release';

/** @param left what of the vault is still there */
export function deletionStep(
  { metadata, spec }: SealedVault,
  left: { readonly statefulSet: boolean; readonly pods: boolean; readonly claims: boolean },
): DeletionStep {
  const held = metadata.finalizers?.includes(FINALIZER) === true;
  const wanted = spec.deletionPolicy === 'Delete';
  if (metadata.deletionTimestamp === undefined) {
    if (held === wanted) return 'keep';
    return wanted ? 'add-finalizer' : 'remove-finalizer';
  }
  if (!held) return 'gone';
  if (!wanted) return 'release';
  if (left.statefulSet || left.pods) return 'stop-pods';
  return left.claims ? 'delete-data' : 'release';
}
