import { SealedVaultError } from '../lib/errors.ts';

/** Why a vault could not be asked. */
export type VaultClientFailure =
  /** No answer in time. */
  | 'timeout'
  /** Nobody listens there, or the connection broke. */
  | 'connection'
  /** The server's certificate is not the vault's. */
  | 'certificate'
  /** The answer is not one of the Vault API. */
  | 'answer'
  /** The caller's signal ended the call. */
  | 'aborted';

/** Thrown when a vault could not be asked or its answer not understood. */
export class VaultClientError extends SealedVaultError {
  override readonly code = 'ERR_VAULT_CLIENT';
  readonly failure: VaultClientFailure;
  readonly status: number | undefined;

  constructor(
    failure: VaultClientFailure,
    message: string,
    options: { cause?: unknown; status?: number } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.failure = failure;
    this.status = options.status;
  }

  /** Names what went wrong below HTTP. */
  static from(cause: unknown, timedOut: boolean): VaultClientError {
    if (cause instanceof VaultClientError) return cause;
    if (timedOut) return new VaultClientError('timeout', 'the vault did not answer in time', { cause });
    const code: unknown = cause instanceof Error ? Reflect.get(cause, 'code') : undefined;
    if (code === 'ABORT_ERR') return new VaultClientError('aborted', 'the call was ended', { cause });
    if (
      typeof code === 'string' &&
      (CERTIFICATE.has(code) || code.startsWith('ERR_TLS') || code.startsWith('ERR_SSL'))
    ) {
      return new VaultClientError('certificate', 'the connection to the vault could not be secured', {
        cause,
      });
    }
    return new VaultClientError('connection', 'the vault cannot be reached', { cause });
  }
}

const CERTIFICATE = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
