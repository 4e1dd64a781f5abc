/** Every error code of the project. docs/errors.md has one row for each; a test checks both directions. */
export type ErrorCode =
  | 'ERR_ABORTED'
  | 'ERR_AUDIT_UNAVAILABLE'
  | 'ERR_BARRIER_CORRUPT'
  | 'ERR_BARRIER_NOT_INITIALIZED'
  | 'ERR_BARRIER_SEALED'
  | 'ERR_CEREMONY_TOOL'
  | 'ERR_CONFIG_INVALID'
  | 'ERR_CONFIG_PERMISSIONS'
  | 'ERR_DATABASE'
  | 'ERR_ENTROPY'
  | 'ERR_HCL_SYNTAX'
  | 'ERR_HSM_AGENT_UNAVAILABLE'
  | 'ERR_HSM_KEY_AMBIGUOUS'
  | 'ERR_HSM_KEY_NOT_FOUND'
  | 'ERR_HSM_KEY_UNUSABLE'
  | 'ERR_HSM_LIBRARY'
  | 'ERR_HSM_MECHANISM'
  | 'ERR_HSM_OPERATION'
  | 'ERR_HSM_PIN_INCORRECT'
  | 'ERR_HSM_PIN_LOCKED'
  | 'ERR_HSM_PIN_MISSING'
  | 'ERR_HSM_SELF_TEST'
  | 'ERR_HSM_TIMEOUT'
  | 'ERR_HSM_TOKEN_AMBIGUOUS'
  | 'ERR_HSM_TOKEN_NOT_FOUND'
  | 'ERR_KUBE_API'
  | 'ERR_LEADER_LOST'
  | 'ERR_PGP_KEY'
  | 'ERR_PHYSICAL'
  | 'ERR_PROCESS_UNSAFE'
  | 'ERR_SEAL_BLOB'
  | 'ERR_SEAL_CLOSED'
  | 'ERR_SEAL_MISMATCH'
  | 'ERR_SEAL_WRAP'
  | 'ERR_SHARES'
  | 'ERR_VAULT_CLIENT';

/**
 * The root of every error the project throws on purpose. Messages are constant sentences without secrets;
 * what varies is in fields. The cause is always kept.
 */
export abstract class SealedVaultError extends Error {
  abstract readonly code: ErrorCode;
  /** What the operator should do, when there is one thing to do. */
  readonly hint: string | undefined;

  constructor(message: string, options?: { cause?: unknown; hint?: string }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.hint = options?.hint;
  }
}

/** Thrown when an AbortSignal ended an operation; nothing is half-written. */
export class Aborted extends SealedVaultError {
  override readonly code = 'ERR_ABORTED';
}

/** @returns the code of an error of ours, or undefined for a foreign one. */
export function errorCode(error: unknown): ErrorCode | undefined {
  return error instanceof SealedVaultError ? error.code : undefined;
}

/** @returns a one-line description that is safe to log: our message and hint, or the class name of a foreign error and its message. */
export function describeError(error: unknown): string {
  if (error instanceof SealedVaultError)
    return error.hint === undefined ? error.message : `${error.message}: ${error.hint}`;
  return error instanceof Error ? error.message : 'unknown error';
}
