import { trimEnd } from '../../lib/trim.ts';
import { SEALED_VAULT } from '../sealedvault/kind.ts';
import type { RecoveryCeremony } from './kind.ts';

/** Names the ceremony that an object belongs to. */
export const CEREMONY_LABEL = 'sealedvault.io/ceremony';

/** Labels of what a ceremony leaves behind. */
export function ceremonyLabels({ metadata, spec }: RecoveryCeremony): Record<string, string> {
  return {
    'app.kubernetes.io/managed-by': 'sealedvault',
    'app.kubernetes.io/part-of': 'sealedvault',
    // A label holds 63 characters.
    [CEREMONY_LABEL]: trimEnd(metadata.name.slice(0, 63), '-.'),
    [`${SEALED_VAULT.apiVersion.split('/')[0]}/ceremony-vault`]: spec.vaultRef.name,
  };
}
