import { HsmError, type HsmErrorCode, type Repair } from '../errors.ts';
import { CKR } from './cryptoki.ts';

/** What was being done when the library refused: the same code means different things. */
export type Step =
  | 'initialize'
  | 'slots'
  | 'session'
  | 'login'
  | 'find'
  | 'generate'
  | 'encrypt'
  | 'decrypt'
  | 'sign'
  | 'random';

/** @returns the CKR number of an error of pkcs11js, which comes in three shapes; undefined when it is none of them */
export function ckrOf(error: unknown): number | undefined {
  return parse(error)?.number;
}

interface Ckr {
  readonly name: string;
  readonly number: number;
}

function parse(error: unknown): Ckr | undefined {
  if (!(error instanceof Error)) return undefined;
  const found = /(CKR_\w+)(?::(\d+))?/.exec(error.message);
  if (found === null) return undefined;
  const code: unknown = Reflect.get(error, 'code');
  return { name: found[1] ?? '', number: found[2] === undefined ? Number(code) : Number(found[2]) };
}

interface Rule {
  readonly code: HsmErrorCode;
  readonly repair?: Repair;
  readonly hint?: string;
}

const RULES: ReadonlyMap<number, Rule> = new Map<number, Rule>([
  [CKR.PIN_INCORRECT, pinRefused()],
  [CKR.PIN_INVALID, pinRefused()],
  [CKR.PIN_LEN_RANGE, pinRefused()],
  [
    CKR.PIN_LOCKED,
    { code: 'ERR_HSM_PIN_LOCKED', hint: 'unlock it with the security officer PIN, then restart' },
  ],
  [CKR.PIN_EXPIRED, { code: 'ERR_HSM_PIN_LOCKED', hint: 'the PIN has expired: set a new one on the token' }],
  [
    CKR.USER_PIN_NOT_INITIALIZED,
    { code: 'ERR_HSM_PIN_MISSING', hint: 'the token has no user PIN yet: the security officer must set one' },
  ],
  [CKR.SLOT_ID_INVALID, { code: 'ERR_HSM_TOKEN_NOT_FOUND', repair: 'ladder', hint: 'the slot is gone' }],
  [CKR.DEVICE_REMOVED, { code: 'ERR_HSM_TOKEN_NOT_FOUND', repair: 'ladder', hint: 'the device was removed' }],
  [CKR.TOKEN_NOT_PRESENT, { code: 'ERR_HSM_TOKEN_NOT_FOUND', repair: 'ladder', hint: 'the slot is empty' }],
  [
    CKR.TOKEN_NOT_RECOGNIZED,
    { code: 'ERR_HSM_TOKEN_NOT_FOUND', repair: 'ladder', hint: 'the token in the slot is not initialised' },
  ],
  [
    CKR.SESSION_COUNT,
    {
      code: 'ERR_HSM_OPERATION',
      repair: 'ladder',
      hint: 'the token has no free sessions: end other users of it, or raise its limit',
    },
  ],
  [CKR.MECHANISM_INVALID, { code: 'ERR_HSM_MECHANISM', hint: mechanismHint() }],
  [CKR.MECHANISM_PARAM_INVALID, { code: 'ERR_HSM_MECHANISM', hint: mechanismHint() }],
  [CKR.KEY_SIZE_RANGE, { code: 'ERR_HSM_KEY_UNUSABLE', hint: 'its size does not fit the mechanism' }],
  [CKR.KEY_TYPE_INCONSISTENT, { code: 'ERR_HSM_KEY_UNUSABLE', hint: 'its type does not fit the mechanism' }],
  [
    CKR.KEY_FUNCTION_NOT_PERMITTED,
    {
      code: 'ERR_HSM_KEY_UNUSABLE',
      hint: 'it must permit what it is used for: encrypting and decrypting, or signing',
    },
  ],
]);

/** What a wrong ciphertext looks like; SoftHSM (and Kryoptic, for RSA) has one code for it and for a token that is gone. */
const MAYBE_CIPHERTEXT: readonly number[] = [
  CKR.GENERAL_ERROR,
  CKR.FUNCTION_FAILED,
  CKR.ARGUMENTS_BAD,
  CKR.DATA_LEN_RANGE,
  CKR.DEVICE_ERROR,
  CKR.ENCRYPTED_DATA_INVALID,
  CKR.ENCRYPTED_DATA_LEN_RANGE,
  CKR.AEAD_DECRYPT_FAILED,
];

/** Translates an error of the library. One of ours passes unchanged. */
export function faultOf(error: unknown, step: Step): HsmError {
  if (error instanceof HsmError) return error;
  const ckr = parse(error);
  if (ckr === undefined) {
    // Foreign messages stay behind: only the step is told.
    return new HsmError('ERR_HSM_OPERATION', {
      hint: `the PKCS#11 binding failed at: ${step}`,
      repair: 'ladder',
    });
  }
  const rule = RULES.get(ckr.number);
  if (rule !== undefined) {
    return new HsmError(rule.code, {
      hint: `${rule.hint ?? ''} (${ckr.name})`,
      repair: rule.repair ?? 'none',
    });
  }
  // SoftHSM knows OAEP with SHA-1 only, and says so by this code.
  if (ckr.number === CKR.ARGUMENTS_BAD && step === 'encrypt') {
    return new HsmError('ERR_HSM_MECHANISM', { hint: `${mechanismHint()} (${ckr.name})` });
  }
  if (step === 'decrypt' && MAYBE_CIPHERTEXT.includes(ckr.number)) {
    return new HsmError('ERR_SEAL_BLOB', {
      hint: `it does not authenticate, or belongs to another key or context (${ckr.name})`,
      repair: 'ladder',
    });
  }
  return new HsmError('ERR_HSM_OPERATION', { hint: hintFor(step, ckr), repair: 'ladder' });
}

function hintFor(step: Step, ckr: Ckr): string {
  if (step === 'initialize' && ckr.number === CKR.GENERAL_ERROR) {
    return `the library could not start: is its configuration file there and readable (SoftHSM: SOFTHSM2_CONF and directories.tokendir)? (${ckr.name})`;
  }
  if (step === 'generate' && ckr.number === CKR.TOKEN_WRITE_PROTECTED)
    return `the token is write-protected (${ckr.name})`;
  return `at ${step}: ${ckr.name === 'CKR_VENDOR_DEFINED' ? `CKR ${ckr.number}` : ckr.name}`;
}

function pinRefused(): Rule {
  return {
    code: 'ERR_HSM_PIN_INCORRECT',
    hint: 'it will not be tried again, as that would lock the token: correct the PIN, then restart',
  };
}

function mechanismHint(): string {
  return 'set mechanism (and for RSA rsa_oaep_hash; SoftHSM knows sha1 only) to what the HSM supports; p11-kit carries AES-GCM from p11-kit 0.25 on, at both ends';
}
