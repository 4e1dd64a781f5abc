import { createHash } from 'node:crypto';
import type { Handle, PKCS11 } from 'pkcs11js';
import { equalBytes } from '../../../../lib/bytes.ts';
import { HsmError } from '../errors.ts';
import type { FoundKey, HeldKeyChoice, ReadOrder, SealKeyName } from '../held-key.ts';
import { CKF_SESSION } from './cryptoki.ts';
import { faultOf } from './fault.ts';
import { generatePair } from './held-generate.ts';
import { describe } from './key.ts';
import { initialize, loadLibrary } from './library.ts';
import { logIn } from './login.ts';
import { decryptWith, signWith } from './held-use.ts';
import { findPair, type HeldPair } from './held-pair.ts';
import { findToken, type Token } from './token.ts';

interface Done {
  readonly head: Readonly<Record<string, unknown>>;
  readonly part: Uint8Array;
}

interface Order extends Omit<ReadOrder, 'pin' | 'input'> {
  /** Whether the library is to be started anew before. */
  readonly fresh: boolean;
  readonly sealKeys: readonly SealKeyName[];
}

interface LoggedIn {
  readonly session: Handle;
  readonly readWrite: boolean;
  /** SHA-256 of the PIN: another one is presented to the token, never taken on trust. */
  readonly digest: Uint8Array;
}

/** One library, and a session for each token that is used. Every method blocks; it repairs nothing by itself. */
export class HeldKeys {
  #lib: PKCS11 | undefined;
  readonly #sessions = new Map<string, LoggedIn>();

  /** @throws ERR_HSM_* */
  perform(order: Order, pin: Uint8Array, input: Uint8Array): Done {
    const { choice, order: what, sealKeys } = order;
    const lib = this.#started(order.lib, order.fresh);
    const generates = what.op === 'find' && what.generate !== undefined;
    const session = this.#session(lib, choice, pin, generates);
    const pair = findPair(lib, session, choice);
    // A pair that is made beside the seal's key under its name would be in the seal's way.
    if (sealKeys.some((sealKey) => isNamed(pair ?? { keyId: '', ...choice }, sealKey))) {
      throw new HsmError('ERR_HSM_KEY_UNUSABLE', {
        hint: `${describe(choice)} is the name of the key that seals this vault, which does nothing else`,
      });
    }
    switch (what.op) {
      case 'find': {
        if (pair !== undefined || what.generate === undefined) return found(needed(pair, choice), false);
        generatePair(lib, session, choice, what.generate);
        return found(needed(findPair(lib, session, choice), choice), true);
      }
      case 'sign':
        return { head: {}, part: signWith(lib, session, needed(pair, choice), what, input) };
      case 'decrypt':
        return { head: {}, part: decryptWith(lib, session, needed(pair, choice), what.hash, input) };
    }
  }

  #started(path: string, fresh: boolean): PKCS11 {
    if (this.#lib !== undefined && !fresh) return this.#lib;
    const lib = this.#lib ?? loadLibrary(path);
    this.#sessions.clear();
    try {
      if (this.#lib !== undefined) lib.C_Finalize();
    } catch {
      // What is broken may refuse to be ended.
    }
    this.#lib = lib;
    initialize(lib);
    return lib;
  }

  #session(lib: PKCS11, choice: HeldKeyChoice, pin: Uint8Array, generates: boolean): Handle {
    const name = JSON.stringify([
      choice.slot === undefined ? '' : String(choice.slot),
      choice.tokenLabel ?? '',
    ]);
    const readWrite = generates || choice.forceRwSession;
    const digest = createHash('sha256').update(pin).digest();
    const known = this.#sessions.get(name);
    if (known !== undefined && equalBytes(known.digest, digest) && (known.readWrite || !readWrite))
      return known.session;
    const token = findToken(lib, choice);
    this.#leave(lib, name, token);
    try {
      const session = lib.C_OpenSession(token.slot, CKF_SESSION.SERIAL | (readWrite ? CKF_SESSION.RW : 0));
      logIn(lib, session, token, pin);
      this.#sessions.set(name, { session, readWrite, digest });
      return session;
    } catch (error) {
      throw faultOf(error, 'session');
    }
  }

  // A log-in is the whole process's: with another PIN, or under another name of the token, it is done again.
  #leave(lib: PKCS11, name: string, token: Token): void {
    this.#sessions.delete(name);
    try {
      lib.C_CloseAllSessions(token.slot);
    } catch {
      // A token that was replaced knows nothing of them.
    }
    this.#sessions.clear();
  }
}

function isNamed(key: SealKeyName, { keyLabel, keyId }: SealKeyName): boolean {
  return (
    (keyLabel === undefined || key.keyLabel === keyLabel) && (keyId === undefined || key.keyId === keyId)
  );
}

function needed(pair: HeldPair | undefined, choice: HeldKeyChoice): HeldPair {
  if (pair !== undefined) return pair;
  throw new HsmError('ERR_HSM_KEY_NOT_FOUND', {
    hint: `${describe(choice)}: make it on the token, or set allow_generate_key`,
    repair: 'ladder',
  });
}

function found({ keyLabel, keyId, spki }: HeldPair, generated: boolean): Done {
  const key: FoundKey = { keyLabel, keyId, generated };
  return { head: { key }, part: spki };
}
