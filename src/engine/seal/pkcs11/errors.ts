import { type ErrorCode, SealedVaultError } from '../../../lib/errors.ts';

export type HsmErrorCode = Extract<ErrorCode, `ERR_HSM_${string}` | 'ERR_SEAL_BLOB'>;

/** What may help: a new session and on, a new process at once, or nothing that this program can do. */
export type Repair = 'none' | 'ladder' | 'process';

const MESSAGES: Readonly<Record<HsmErrorCode, string>> = {
  ERR_HSM_AGENT_UNAVAILABLE: 'the HSM agent does not answer',
  ERR_HSM_KEY_AMBIGUOUS: 'more than one key on the HSM fits the configuration',
  ERR_HSM_KEY_NOT_FOUND: 'the key is not on the HSM',
  ERR_HSM_KEY_UNUSABLE: 'the key on the HSM does not permit what the seal needs',
  ERR_HSM_LIBRARY: 'the PKCS#11 library cannot be used',
  ERR_HSM_MECHANISM: 'the HSM does not support the mechanism',
  ERR_HSM_OPERATION: 'the HSM refused an operation',
  ERR_HSM_PIN_INCORRECT: 'the HSM refused the PIN',
  ERR_HSM_PIN_LOCKED: 'the PIN of the HSM is locked or about to be',
  ERR_HSM_PIN_MISSING: 'there is no PIN for the HSM',
  ERR_HSM_SELF_TEST: 'the HSM did not give back what was encrypted by it',
  ERR_HSM_TIMEOUT: 'the HSM did not answer in time',
  ERR_HSM_TOKEN_AMBIGUOUS: 'more than one token fits the configuration',
  ERR_HSM_TOKEN_NOT_FOUND: 'no token fits the configuration',
  ERR_SEAL_BLOB: 'the sealed value cannot be opened',
};

/**
 * Whatever goes wrong between the seal and the HSM. The message is constant per code; the hint says what to
 * do and may name paths, labels and CKR codes, never a PIN, a key or a plaintext.
 */
export class HsmError extends SealedVaultError {
  override readonly code: HsmErrorCode;
  readonly repair: Repair;

  constructor(code: HsmErrorCode, options: { hint?: string; cause?: unknown; repair?: Repair } = {}) {
    super(MESSAGES[code], options);
    this.code = code;
    this.repair = options.repair ?? 'none';
  }

  /** Trying again with the same PIN would be wrong. */
  get terminal(): boolean {
    return this.code === 'ERR_HSM_PIN_INCORRECT' || this.code === 'ERR_HSM_PIN_LOCKED';
  }
}

export function isHsmErrorCode(value: unknown): value is HsmErrorCode {
  return typeof value === 'string' && Object.hasOwn(MESSAGES, value);
}
