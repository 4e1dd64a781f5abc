import type { Condition } from '../sealedvault/status-schema.ts';

/** A RecoveryCeremony as TypeScript sees it; schema.ts proves that it is what the schema gives. */
export interface RecoveryCeremonySpec {
  readonly vaultRef: { readonly name: string };
  readonly type: 'Initialize';
  readonly threshold: number;
  readonly custodians: readonly CustodianSpec[];
  readonly rootToken: RootTokenSpec;
}

export interface CustodianSpec {
  readonly name: string;
  readonly publicKey?: string | undefined;
  readonly publicKeyFrom?:
    | {
        readonly configMapKeyRef?: KeyReference | undefined;
        readonly secretKeyRef?: KeyReference | undefined;
      }
    | undefined;
}

export interface KeyReference {
  readonly name: string;
  readonly key: string;
}

export interface RootTokenSpec {
  readonly encryptTo?: string | undefined;
  readonly never?: object | undefined;
}

export type CeremonyPhase = 'Pending' | 'Preflight' | 'Initializing' | 'Delivering' | 'Completed' | 'Failed';

export interface RecoveryCeremonyStatus {
  readonly phase?: CeremonyPhase | undefined;
  readonly observedGeneration?: number | undefined;
  readonly conditions?: readonly Condition[] | undefined;
  readonly custodians?: readonly CustodianStatus[] | undefined;
  readonly rootToken?: RootTokenStatus | undefined;
  /** Such as `2/3`. */
  readonly delivered?: string | undefined;
  readonly vaultUid?: string | undefined;
  readonly completedAt?: string | undefined;
}

export interface CustodianStatus extends Delivery {
  readonly name: string;
  readonly fingerprint?: string | undefined;
  readonly encryptionKey?: string | undefined;
  readonly algorithm?: string | undefined;
  readonly expires?: string | undefined;
  readonly problem?: string | undefined;
}

export interface RootTokenStatus extends Delivery {
  readonly custodian: string;
}

export interface Delivery {
  readonly delivery?: 'Pending' | 'Delivered' | undefined;
  readonly secretName?: string | undefined;
  readonly sha256?: string | undefined;
}
