/** What stands behind the seal, and how it fares; core implements it. */
export interface SealBackendStatus {
  readonly healthy: boolean;
  /** Milliseconds since the epoch. */
  readonly unhealthySince: number | undefined;
  /** Whether everything that is sealed names the key that seals now. */
  readonly fullyWrapped: boolean;
  readonly backends: readonly SealBackend[];
  /** Undefined while sealed, and under a Shamir seal: a restart waits for shares anyway. */
  readonly restart: RestartOutlook | undefined;
  readonly key: SealKeyStatus | undefined;
  readonly references: readonly KeyReference[] | undefined;
}

export interface SealBackend {
  readonly name: string;
  readonly healthy: boolean;
  readonly unhealthySince: number | undefined;
  /** Whether it was opened since the start. */
  readonly configured: boolean;
  readonly disabled: boolean;
}

/** Whether a process that starts now could unseal by itself. */
export type RestartOutlook =
  | { readonly wouldFail: false }
  | { readonly wouldFail: true; readonly code: string; readonly message: string };

/** How the key that wraps the root key is kept, as its HSM says. */
export interface SealKeyStatus {
  readonly label: string;
  readonly id: string;
  readonly mechanism: string;
  /** By names such as `never_extractable`; what the HSM does not tell is absent. */
  readonly attributes: Readonly<Record<string, boolean>>;
  /** Whether the HSM says nothing that would let the key be, or have been, outside of it. */
  readonly strong: boolean;
  readonly warnings: readonly string[];
}

/** How much of what is stored needs a key. */
export interface KeyReference {
  readonly label: string;
  readonly id: string;
  readonly mechanism: string;
  /** Whether it is the key that seals now. */
  readonly current: boolean;
  readonly records: number;
}

/** Wraps everything that is sealed anew, by the key that is configured. */
export interface RewrapPort {
  status(): RewrapStatus;
  /** @returns false when one is running already */
  start(): boolean;
}

/** Of the rewrap that runs, or of the last one. */
export interface RewrapStatus {
  readonly running: boolean;
  readonly processed: number;
  readonly succeeded: number;
  readonly failed: number;
}
