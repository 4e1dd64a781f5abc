import type { Secret } from '../../lib/secret.ts';

/**
 * A seal wraps the root key (and the recovery key): nothing else of the engine knows of HSMs.
 *
 * I1  A blob names everything that is needed to open it again: version, mechanism, hash, key label and id.
 * I2  A blob opens only in the context (cluster and purpose) it was wrapped in.
 * I3  No method blocks the event loop, and each ends by its signal or its own deadline.
 * I4  A refused PIN is terminal: no implementation ever tries it a second time by itself.
 *
 * Errors: `ERR_HSM_*` as docs/errors.md lists them; `ERR_SEAL_BLOB` for a blob that is malformed, was made by
 * another seal or in another context, or does not authenticate; `ERR_ABORTED`.
 */
export interface Seal {
  readonly type: SealType;
  /** Connects, finds (or, when allowed, generates) the key and proves it by a real wrap and unwrap. May be called again after a failure. */
  open(options: SealCallOptions & { allowGenerateKey: boolean }): Promise<void>;
  /** The caller keeps ownership of plaintext. */
  wrap(plaintext: Secret, context: SealContext, options: SealCallOptions): Promise<Uint8Array>;
  unwrap(blob: Uint8Array, context: SealContext, options: SealCallOptions): Promise<Secret>;
  /** Whether a blob was made by the very key that wraps now; false for one of another key or seal. */
  wrote(blob: Uint8Array, options: SealCallOptions): Promise<boolean>;
  /** Bytes from the HSM's own generator. */
  random(length: number, options: SealCallOptions): Promise<Uint8Array>;
  health(): SealHealth;
  close(): Promise<void>;
}

export type SealType = 'pkcs11' | 'shamir';

export interface SealCallOptions {
  readonly signal: AbortSignal;
}

/** What a blob is bound to. */
export interface SealContext {
  /** The vault's UUID, from the plaintext seal configuration. */
  readonly clusterId: string;
  readonly purpose: 'root-key' | 'recovery-key' | 'seal-wrap' | 'self-test';
}

export interface SealHealth {
  readonly healthy: boolean;
  /** Milliseconds since the epoch. */
  readonly unhealthySince?: number;
  /** Code, message and hint of the last failure: constant sentences, never a secret. */
  readonly lastError?: { readonly code: string; readonly message: string; readonly hint?: string };
  /** True when trying again by itself would be wrong (a refused PIN). */
  readonly terminal: boolean;
}
