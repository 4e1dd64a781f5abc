import type { Condition } from '../sealedvault/status-schema.ts';

/** A RecoveryCeremony as TypeScript sees it; schema.ts proves that it is what the schema gives. */
export interface RecoveryCeremonySpec {
  readonly vaultRef: { readonly name: string };
  readonly type: CeremonyType;
  /** Initialize, RotateRecovery, BreakGlass: of the new shares. */
  readonly threshold?: number | undefined;
  /** Initialize, RotateRecovery, BreakGlass: who gets a share each. BreakGlass without any turns it off. */
  readonly custodians: readonly PersonSpec[];
  /** Approvers, witnesses and requester who get no share. */
  readonly people: readonly PersonSpec[];
  readonly requester?: string | undefined;
  readonly rootToken?: RootTokenSpec | undefined;
  readonly sealMigration?: { readonly dryRun: boolean } | undefined;
  readonly approvals?: { readonly approvers: readonly string[]; readonly required: number } | undefined;
  readonly witnesses?: { readonly names: readonly string[]; readonly required: number } | undefined;
  /** Whether custodians answer a test message first; kind.ts knows what is usual. */
  readonly keyTest?: 'Required' | 'Skip' | undefined;
  /** A Go duration. */
  readonly expiresAfter: string;
  readonly cancel: boolean;
}

export type CeremonyType =
  | 'Initialize'
  | 'RotateRecovery'
  | 'GenerateRoot'
  | 'Drill'
  | 'BreakGlass'
  | 'SealMigration';

export interface PersonSpec {
  readonly name: string;
  readonly publicKey?: string | undefined;
  readonly publicKeyFrom?:
    | {
        readonly configMapKeyRef?: KeyReference | undefined;
        readonly secretKeyRef?: KeyReference | undefined;
      }
    | undefined;
  /** A Kubernetes user. */
  readonly username?: string | undefined;
  readonly group?: string | undefined;
}

export interface KeyReference {
  readonly name: string;
  readonly key: string;
}

export interface RootTokenSpec {
  readonly encryptTo?: string | undefined;
  readonly never?: object | undefined;
  readonly ttl?: string | undefined;
}

export type CeremonyPhase =
  | 'Pending'
  | 'Preflight'
  | 'AwaitingApproval'
  | 'TestingKeys'
  | 'Initializing'
  | 'ProvingSeals'
  | 'Collecting'
  | 'Delivering'
  | 'Proving'
  | 'Drilling'
  | 'AwaitingWitness'
  | 'Completed'
  | 'Failed'
  | 'Expired'
  | 'Cancelled';

export interface RecoveryCeremonyStatus {
  readonly phase?: CeremonyPhase | undefined;
  readonly observedGeneration?: number | undefined;
  readonly conditions?: readonly Condition[] | undefined;
  readonly manifestDigest?: string | undefined;
  /** The engine's, to be compared by whoever submits a share. */
  readonly nonce?: string | undefined;
  /** Shares or proofs that came and that are needed, such as `1/2`. */
  readonly progress?: string | undefined;
  /** Approvals that came and that are needed. */
  readonly approvals?: string | undefined;
  readonly custodians?: readonly CustodianStatus[] | undefined;
  readonly rootToken?: RootTokenStatus | undefined;
  /** Such as `2/3`. */
  readonly delivered?: string | undefined;
  /** Of the shares that the ceremony made or drilled: the engine counts sets of shares. */
  readonly generation?: number | undefined;
  readonly vaultUid?: string | undefined;
  readonly expiresAt?: string | undefined;
  readonly evidence?: EvidenceStatus | undefined;
  readonly completedAt?: string | undefined;
}

export interface EvidenceStatus {
  readonly entries: number;
  readonly head: string;
  readonly configMap: string;
}

export interface CustodianStatus extends Delivery {
  readonly name: string;
  readonly fingerprint?: string | undefined;
  readonly encryptionKey?: string | undefined;
  readonly algorithm?: string | undefined;
  readonly expires?: string | undefined;
  readonly problem?: string | undefined;
  readonly warning?: string | undefined;
  readonly keyTest?: 'Pending' | 'Answered' | undefined;
  readonly receipt?: 'Accepted' | 'Lost' | undefined;
  readonly proven?: boolean | undefined;
}

export interface RootTokenStatus extends Delivery {
  readonly custodian: string;
  readonly expiresAt?: string | undefined;
  readonly state?: 'active' | 'revoked' | 'expired' | undefined;
}

export interface Delivery {
  readonly delivery?: 'Pending' | 'Delivered' | undefined;
  readonly secretName?: string | undefined;
  readonly sha256?: string | undefined;
}
