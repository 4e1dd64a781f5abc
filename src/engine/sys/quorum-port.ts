/** Why an operation of a quorum was refused. */
export interface QuorumRefusal {
  readonly refused: string;
}

/** One share of a holder, for the operation that the nonce names. */
export interface ShareSubmission {
  /** Hex or base64. */
  readonly key: string;
  readonly nonce: string;
  readonly signal: AbortSignal;
}

/** Where a root token's generation stands. */
export interface RootGeneration {
  readonly nonce: string;
  readonly started: boolean;
  readonly progress: number;
  readonly required: number;
  readonly complete: boolean;
  /** Unpadded base64 of the token XORed with the one-time password, or base64 of a PGP message; empty until complete. */
  readonly encodedToken: string;
  readonly pgpFingerprint: string;
  /** Only in the answer to the call that started it. */
  readonly otp: string;
  readonly otpLength: number;
}

/** A root token by a quorum of share holders; core implements it. */
export interface GenerateRootPort {
  status(): Promise<RootGeneration>;
  /** @param request otp or pgpKey may be empty; ttl in seconds, 0 for a token that does not expire */
  start(request: {
    readonly otp: string;
    readonly pgpKey: string;
    readonly ttl: number;
  }): Promise<RootGeneration | QuorumRefusal>;
  update(submission: ShareSubmission): Promise<RootGeneration | QuorumRefusal>;
  cancel(): void;
}

/** Where a rekey stands. */
export interface RekeyStatus {
  readonly nonce: string;
  readonly started: boolean;
  readonly threshold: number;
  readonly shares: number;
  readonly progress: number;
  readonly required: number;
  /** Undefined without PGP. */
  readonly pgpFingerprints: readonly string[] | undefined;
  readonly backup: boolean;
  readonly verificationRequired: boolean;
  /** Empty unless new shares wait to be verified. */
  readonly verificationNonce: string;
}

/** What a quorum of old shares yields. */
export interface RekeyResult {
  readonly complete: true;
  readonly nonce: string;
  /** Shares, or the PGP messages that hold them; empty where nobody is to hold any. */
  readonly keys: readonly Uint8Array[];
  readonly pgpFingerprints: readonly string[] | undefined;
  readonly backup: boolean;
  readonly verificationRequired: boolean;
  readonly verificationNonce: string;
}

export interface RekeyRequest {
  readonly shares: number;
  readonly threshold: number;
  readonly pgpKeys: readonly string[];
  readonly backup: boolean;
  readonly requireVerification: boolean;
}

/** Where the verification of new shares stands. */
export interface RekeyVerification {
  readonly nonce: string;
  readonly started: boolean;
  readonly threshold: number;
  readonly shares: number;
  readonly progress: number;
}

/** PGP-encrypted shares by fingerprint, kept until somebody deletes them. */
export interface RekeyBackup {
  readonly nonce: string;
  readonly keys: Readonly<Record<string, readonly string[]>>;
  readonly keysBase64: Readonly<Record<string, readonly string[]>>;
}

/** New shares for one key, by a quorum of the old ones; core implements it. */
export interface RekeyPort {
  /** Whether the seal has this kind of key at all. */
  readonly supported: boolean;
  status(): Promise<RekeyStatus>;
  /** Begins; where no quorum can exist (no shares yet), it is carried out at once. */
  start(request: RekeyRequest): Promise<RekeyStatus | RekeyResult | QuorumRefusal>;
  update(submission: ShareSubmission): Promise<RekeyStatus | RekeyResult | QuorumRefusal>;
  /** @param nonce when not empty, only this rekey is cancelled */
  cancel(nonce: string): QuorumRefusal | undefined;
  verification(): RekeyVerification | QuorumRefusal;
  verify(
    submission: ShareSubmission,
  ): Promise<RekeyVerification | { readonly complete: true; readonly nonce: string } | QuorumRefusal>;
  /** Starts the verification again under another nonce. */
  restartVerification(): RekeyVerification | QuorumRefusal;
  backup(): Promise<RekeyBackup | undefined>;
  deleteBackup(): Promise<void>;
}
