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

/** A seal whose key lies in an HSM: it can say how that key is kept, and whether a new process would get at it. */
export interface HsmSeal extends Seal {
  readonly type: 'pkcs11';
  /** The key that wraps, as last seen; undefined before the seal was opened. */
  key(): SealKey | undefined;
  /** Asks the HSM for the attributes of the key. */
  keyReport(options: SealCallOptions): Promise<SealKey>;
  /** Encrypts and decrypts random bytes from end to end, within a time, and lets health() know. */
  prove(options: SealCallOptions & { readonly timeoutMs: number }): Promise<void>;
  /**
   * Opens a blob as a process that starts now would: it loads the library anew, logs in and finds the key. What is
   * in use is not touched, and health() does not change. A PIN that was refused is not presented again.
   */
  rehearse(blob: Uint8Array, context: SealContext, options: SealCallOptions): Promise<void>;
  /** The keys that open a blob, each by itself. @throws ERR_SEAL_BLOB */
  keysOf(blob: Uint8Array): readonly SealKeyName[];
  /** Every HSM behind the seal, the one that is asked first in front. */
  backends(): readonly SealBackendState[];
  /**
   * Has PIN and slot read anew by the programs beside this one that hold them.
   * @returns false where one of them is held by this process, which does not read its environment twice
   */
  renewCredentials(options: SealCallOptions): Promise<boolean>;
  /** Calls back whenever health() turns from healthy to not, or back. */
  onChange(listener: () => void): void;
  /**
   * From now on, what is wrapped is sealed to this public key too (break-glass.ts).
   * @param publicKey base64; undefined: to none any more
   */
  breakGlass(publicKey: string | undefined): void;
}

export function isHsmSeal(seal: Seal): seal is HsmSeal {
  return seal.type === 'pkcs11';
}

/** A key by what its token calls it; none of it is secret. */
export interface SealKeyName {
  readonly mechanism: string;
  readonly keyLabel: string;
  /** Lower-case hex; may be empty. */
  readonly keyId: string;
  /** Lower-case hex; empty when the HSM has none. */
  readonly checkValue: string;
}

export interface SealKey extends SealKeyName {
  /** What the HSM tells, by names such as `neverExtractable`; what it does not tell is absent. */
  readonly attributes: Readonly<Record<string, boolean>>;
}

/** Whether two names are of one key; a check value that an HSM does not tell says nothing. */
export function isSameKey(a: SealKeyName, b: SealKeyName): boolean {
  const values = a.checkValue === '' || b.checkValue === '' || a.checkValue === b.checkValue;
  return a.mechanism === b.mechanism && a.keyLabel === b.keyLabel && a.keyId === b.keyId && values;
}

/** One HSM behind a seal. */
export interface SealBackendState {
  /** As the configuration names it; empty where it needs no name. */
  readonly name: string;
  readonly health: SealHealth;
  /** Undefined before it was opened. */
  readonly key: SealKey | undefined;
}

/**
 * Whether a blob that these keys open is wrapped as well as it could be now: by the key of every HSM that works, and, when
 * all of them do, by no other.
 */
export function isCurrent(seal: HsmSeal, keys: readonly SealKeyName[]): boolean {
  const backends = seal.backends();
  const usable = backends.filter(({ health, key }) => health.healthy && key !== undefined);
  const has = ({ key }: SealBackendState): boolean =>
    key !== undefined && keys.some((each) => isSameKey(each, key));
  if (!usable.every(has)) return false;
  const isWhole = usable.length === backends.length;
  return (
    !isWhole || keys.every((each) => backends.some(({ key }) => key !== undefined && isSameKey(each, key)))
  );
}

/** Told of each encryption and decryption by the seal. */
export type SealMeter = (operation: 'encrypt' | 'decrypt', milliseconds: number, failed: boolean) => void;

/** `break-glass` opens only: a vault is never under it. */
export type SealType = 'pkcs11' | 'shamir' | 'break-glass';

export interface SealCallOptions {
  readonly signal: AbortSignal;
}

/** Of a new key that is not in force yet: its blob is worth nothing in the place of one that is. */
export type PendingPurpose = 'pending-recovery-key' | 'pending-break-glass-key';

/** What a blob is bound to. */
export interface SealContext {
  /** The vault's UUID, from the plaintext seal configuration. */
  readonly clusterId: string;
  readonly purpose: 'root-key' | 'recovery-key' | 'seal-wrap' | 'self-test' | PendingPurpose;
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
