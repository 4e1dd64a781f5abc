import { randomFillSync } from 'node:crypto';
import type { Handle, PKCS11 } from 'pkcs11js';
import { equalBytes, view } from '../../../../lib/bytes.ts';
import { HsmError } from '../errors.ts';
import type { LegacyKeys, MechanismName, OaepHash } from '../mechanism.ts';
import type { KeyReport, Sealed } from '../protocol.ts';
import { type CryptOptions, decrypt, encrypt } from './crypt.ts';
import { CKF_SESSION } from './cryptoki.ts';
import { faultOf } from './fault.ts';
import { generateKey } from './generate.ts';
import { checkUsage, describe, findKey, type Key, type KeyChoice, keyAttributes } from './key.ts';
import { openLegacy } from './legacy.ts';
import { initialize, loadLibrary } from './library.ts';
import { logIn } from './login.ts';
import { findToken, type Token, type TokenChoice } from './token.ts';

/** What the process is told at a connect; the PIN comes beside it. */
export interface HsmSettings extends TokenChoice, CryptOptions {
  readonly lib: string;
  readonly keyLabel?: string;
  readonly keyId?: string;
  readonly mechanism?: MechanismName;
  readonly oaepHash: OaepHash;
  readonly forceRwSession: boolean;
  readonly legacy?: LegacyKeys;
}

export interface ConnectOptions {
  /** Make the key when it is not there. */
  readonly generateKey: boolean;
  /** Finalise and initialise the library first. */
  readonly reinitialize: boolean;
}

interface Open {
  readonly session: Handle;
  readonly key: Key;
  readonly settings: HsmSettings;
}

/**
 * One library, one token, one session, one key. Every method blocks: it only ever runs in a process of its own,
 * which is killed when it takes too long. It logs in at most once per connect, and repairs nothing by itself.
 */
export class Hsm {
  #lib: PKCS11 | undefined;
  #initialized = false;
  #session: Handle | undefined;
  #open: Open | undefined;

  /** @throws ERR_HSM_*: the first thing that is wrong, from the library's file to the self-test */
  connect(settings: HsmSettings, pin: Uint8Array, options: ConnectOptions): KeyReport {
    this.#disconnect(options.reinitialize);
    const lib = this.#lib ?? loadLibrary(settings.lib);
    this.#lib = lib;
    if (!this.#initialized) initialize(lib);
    this.#initialized = true;
    const token = findToken(lib, settings);
    const session = openSession(lib, token, settings.forceRwSession || options.generateKey);
    this.#session = session;
    logIn(lib, session, token, pin);
    let key = findKey(lib, session, settings);
    const generated = key === undefined && options.generateKey;
    if (generated) {
      generateKey(lib, session, settings);
      key = findKey(lib, session, settings);
    }
    if (key === undefined) {
      throw new HsmError('ERR_HSM_KEY_NOT_FOUND', {
        hint: `${describe(settings)}: make it on the token, or set generate_key = "true" and initialise`,
        repair: 'ladder',
      });
    }
    checkUsage(lib, session, key, settings.encryptLocally);
    this.#open = { session, key, settings };
    try {
      this.health();
    } catch (error) {
      // An HSM that knows CBC only can still be read, and migrated away from.
      const readOnly = settings.legacy !== undefined && key.mechanism === 'CKM_AES_GCM';
      if (!readOnly || !(error instanceof HsmError) || error.code !== 'ERR_HSM_MECHANISM') throw error;
    }
    return { ...this.attributes(), generated };
  }

  attributes(): KeyReport {
    const { lib, session, key } = this.#opened();
    return {
      mechanism: key.mechanism,
      keyLabel: key.label,
      keyId: key.id,
      checkValue: key.checkValue,
      generated: false,
      attributes: keyAttributes(lib, session, key),
    };
  }

  wrap(plaintext: Uint8Array, aad: Uint8Array): Sealed {
    const { lib, session, key, settings } = this.#opened();
    const { iv, ciphertext, oaepHash } = encrypt(lib, session, key, plaintext, aad, settings);
    return {
      mechanism: key.mechanism,
      ...(oaepHash === undefined ? {} : { oaepHash }),
      keyLabel: key.label,
      keyId: key.id,
      checkValue: key.checkValue,
      iv,
      ciphertext,
    };
  }

  /** The key is the one the sealed value names, which after a rotation is not the configured one. */
  unwrap(sealed: Sealed, aad: Uint8Array): Uint8Array {
    const { lib, session, key: current, settings } = this.#opened();
    if (sealed.mechanism === 'CKM_AES_CBC_PAD')
      return openLegacy(lib, session, sealed, settings.legacy, settings);
    const isCurrent =
      sealed.mechanism === current.mechanism &&
      sealed.keyLabel === current.label &&
      sealed.keyId === current.id;
    const choice = choiceOf(sealed, sealed.mechanism);
    const key = isCurrent ? current : findKey(lib, session, choice);
    if (key === undefined) {
      throw new HsmError('ERR_HSM_KEY_NOT_FOUND', {
        hint: `the value was sealed by ${describe(choice)}, which is not on this token`,
        repair: 'ladder',
      });
    }
    if (sealed.checkValue !== '' && key.checkValue !== '' && sealed.checkValue !== key.checkValue) {
      throw new HsmError('ERR_SEAL_BLOB', { hint: 'it was sealed by another key of the same label and id' });
    }
    return decrypt(lib, session, key, sealed, aad);
  }

  /** Opens a value and forgets it, then takes leave of the HSM: nothing of this process is used again. */
  rehearse(sealed: Sealed, aad: Uint8Array): void {
    try {
      this.unwrap(sealed, aad).fill(0);
    } finally {
      this.#disconnect(true);
    }
  }

  random(length: number): Uint8Array {
    const { lib, session } = this.#opened();
    try {
      return lib.C_GenerateRandom(session, Buffer.alloc(length));
    } catch (error) {
      throw faultOf(error, 'random');
    }
  }

  /** Encrypts and decrypts for real: lists of mechanisms and their flags are not to be trusted. */
  health(): void {
    const { lib, session, key, settings } = this.#opened();
    const plaintext = randomFillSync(new Uint8Array(32));
    const aad = randomFillSync(new Uint8Array(16));
    const sealed = encrypt(lib, session, key, plaintext, aad, settings);
    let back: Uint8Array;
    try {
      back = decrypt(lib, session, key, sealed, aad);
    } catch (cause) {
      if (cause instanceof HsmError && cause.code !== 'ERR_SEAL_BLOB') throw cause;
      throw selfTestFailed(cause);
    }
    const leaked = view(sealed.ciphertext).includes(view(plaintext));
    if (!equalBytes(back, plaintext) || leaked) throw selfTestFailed(undefined);
  }

  #opened(): Open & { lib: PKCS11 } {
    if (this.#lib === undefined || this.#open === undefined) {
      throw new HsmError('ERR_HSM_OPERATION', { hint: 'the HSM is not connected', repair: 'ladder' });
    }
    return { ...this.#open, lib: this.#lib };
  }

  // What is broken already may refuse to be closed: that is why it is closed.
  #disconnect(finalize: boolean): void {
    this.#open = undefined;
    const session = this.#session;
    this.#session = undefined;
    try {
      if (session !== undefined) this.#lib?.C_CloseSession(session);
    } catch {}
    if (!finalize) return;
    this.#initialized = false;
    try {
      this.#lib?.C_Finalize();
    } catch {}
  }
}

function openSession(lib: PKCS11, token: Token, readWrite: boolean): Handle {
  try {
    return lib.C_OpenSession(token.slot, CKF_SESSION.SERIAL | (readWrite ? CKF_SESSION.RW : 0));
  } catch (error) {
    throw faultOf(error, 'session');
  }
}

function choiceOf(sealed: Sealed, mechanism: MechanismName): KeyChoice {
  return {
    mechanism,
    ...(sealed.keyLabel === '' ? {} : { keyLabel: sealed.keyLabel }),
    ...(sealed.keyId === '' ? {} : { keyId: sealed.keyId }),
  };
}

function selfTestFailed(cause: unknown): HsmError {
  const hint = 'do not trust this HSM, library or mechanism with a root key';
  return new HsmError(
    'ERR_HSM_SELF_TEST',
    cause === undefined ? { hint } : { hint, cause, repair: 'ladder' },
  );
}
