import type { RecoveryCeremony } from './kind.ts';

/** Why a ceremony is where it is. */
export type CeremonyReason =
  | 'AnotherCeremony'
  | 'AwaitingApproval'
  | 'AwaitingKeyTest'
  | 'AwaitingPreflight'
  | 'AwaitingProofs'
  | 'AwaitingWitness'
  | 'Cancelled'
  | 'CollectingShares'
  | 'Committed'
  | 'Delivered'
  | 'EngineAnswerUnusable'
  | 'EngineForgot'
  | 'Expired'
  | 'HoldersUnknown'
  | 'KeysAccepted'
  | 'KeysChanged'
  | 'KeysRefused'
  | 'KeysTested'
  | 'ManifestChanged'
  | 'NotPermitted'
  | 'NotSeparate'
  | 'NothingToMigrate'
  | 'Refused'
  | 'ProvingSeals'
  | 'Rewrapping'
  | 'SealNotUsable'
  | 'SealsProven'
  | 'SecretConflict'
  | 'SharesGenerated'
  | 'VaultAlreadyInitialized'
  | 'VaultNotFound'
  | 'VaultNotReachable'
  | 'VaultSealed'
  | 'WritingSecrets';

export interface Note {
  readonly reason: CeremonyReason;
  readonly message: string;
}

export function note(reason: CeremonyReason, message: string): Note {
  return { reason, message };
}

/** Reasons of a failure that no later look can heal. */
export const TERMINAL: ReadonlySet<string | undefined> = new Set<string | undefined>([
  'EngineForgot',
  'KeysChanged',
  'KeysRefused',
  'ManifestChanged',
  'NotSeparate',
  'VaultAlreadyInitialized',
]);

/** Whether a ceremony has ended, for good or for bad. */
export function isOver({ status }: RecoveryCeremony): boolean {
  const reason = status?.conditions?.find(({ type }) => type === 'Committed')?.reason;
  return (
    ['Completed', 'Cancelled', 'Expired'].includes(status?.phase ?? '') ||
    (status?.phase === 'Failed' && TERMINAL.has(reason))
  );
}
