import type { RecoveryReason } from '../recovery/recovery.ts';

/** What is true of a vault, as conditions with closed reasons; pure. */
export interface Finding {
  readonly type:
    | 'Ready'
    | 'Initialized'
    | 'Unsealed'
    | 'SealHealthy'
    | 'HSMReachable'
    | 'NextRestartWouldFail'
    | 'SealKeyStrong'
    | 'OpensWithoutHSM'
    | 'SealAsSpecified'
    | 'TLSReady'
    | 'CredentialsAvailable'
    | 'Progressing'
    | 'RecoveryReady';
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: Reason;
  readonly message: string;
}

export type Reason =
  | RecoveryReason
  | 'BreakGlassOff'
  | 'BreakGlassOn'
  | 'CertificateExpired'
  | 'CertificatesValid'
  | 'HSMFailing'
  | 'HSMUsed'
  | 'Initialized'
  | 'KeyProtected'
  | 'KeyWeak'
  | 'NameTaken'
  | 'NotInitialized'
  | 'NotObserved'
  | 'PodsPending'
  | 'RestartWorks'
  | 'Rolling'
  | 'ScaledToZero'
  | 'Sealed'
  | 'SealMigrating'
  | 'SealMigrationNeeded'
  | 'SealUsable'
  | 'SpecifiedHSM'
  | 'SecretInvalid'
  | 'SecretNotFound'
  | 'SecretsFound'
  | 'SecretsNotReadable'
  | 'Serving'
  | 'Settled'
  | 'Unreachable'
  | 'Unsealed'
  | 'WouldNotUnseal';
