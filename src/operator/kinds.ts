import type { KindDefinition } from './crd.ts';
import { drillScheduleKind } from './drillschedule/kind.ts';
import { ceremonyApprovalKind } from './recoveryceremony/approvals/kind.ts';
import { recoveryCeremonyKind } from './recoveryceremony/kind.ts';
import { shareReceiptKind } from './recoveryceremony/receipts/kind.ts';
import { sealedVaultKind } from './sealedvault/kind.ts';

/** One line for each kind that is defined here. */
export const kinds: readonly KindDefinition[] = [
  sealedVaultKind,
  recoveryCeremonyKind,
  ceremonyApprovalKind,
  shareReceiptKind,
  drillScheduleKind,
];
