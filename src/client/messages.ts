/** Answer of sys/health. */
export interface Health {
  readonly initialized: boolean;
  readonly sealed: boolean;
  readonly standby: boolean;
  readonly version: string;
}

/** Answer of sys/seal-status. */
export interface SealStatus {
  readonly type: string;
  readonly initialized: boolean;
  readonly sealed: boolean;
  readonly version: string;
  /** What is wrong with the seal and what to do about it; sentences without secrets. */
  readonly warnings: readonly string[];
}

/** Answer of sys/seal-backend-status. */
export interface SealBackends {
  readonly healthy: boolean;
  /** False until the seal was opened once. */
  readonly configured: boolean;
  /** Why a restart would fail, as a code and in words; undefined when it would not, or when that is not known. */
  readonly restartFailure: { readonly code: string; readonly message: string } | undefined;
  /** Whether what a restart needs was tried. */
  readonly restartKnown: boolean;
  /** Whether every HSM has its part of everything that is sealed, and no other has one. */
  readonly fullyWrapped: boolean;
  /** Whether people can open the vault without its HSM. */
  readonly breakGlass: boolean;
  /** How the key is kept; undefined when the engine does not know its key. */
  readonly key: { readonly strong: boolean; readonly warnings: readonly string[] } | undefined;
}

/** Answer of sys/leader. */
export interface Leader {
  readonly isSelf: boolean;
  readonly leaderAddress: string;
}

/** Body of PUT sys/init, by the names of the API. */
export interface InitRequest {
  readonly recovery_shares: number;
  readonly recovery_threshold: number;
  /** Base64 of binary OpenPGP public keys, one for each share. */
  readonly recovery_pgp_keys: readonly string[];
  /** Names of who gets the shares, in their order. */
  readonly recovery_custodians?: readonly string[];
  readonly root_token_pgp_key?: string;
  readonly omit_root_token?: true;
  /** A repeated call with the same id and request gets the same answer, never a second set of shares. */
  readonly ceremony_id: string;
  /** Of the plan, for the engine's signature over the evidence. */
  readonly ceremony_digest?: string;
}

/** Answer of PUT sys/init. */
export type InitAnswer =
  | {
      readonly ok: true;
      /** Base64 of binary OpenPGP messages, in the order of the keys. */
      readonly recoveryKeys: readonly string[];
      /** Base64 of a binary OpenPGP message; empty when there is none. */
      readonly rootToken: string;
    }
  | { readonly ok: false; readonly errors: readonly string[] };
