import type { PKCS11 } from 'pkcs11js';
import { text } from '../../../../lib/bytes.ts';
import { HsmError } from '../errors.ts';
import { decodeMessage, encodeMessage, part, textField } from '../message.ts';
import { MAX_PIN_BYTES } from '../pin.ts';
import { errorFields } from '../protocol.ts';
import { CKF_SESSION, CKF_TOKEN, CKU } from './cryptoki.ts';
import { faultOf } from './fault.ts';
import { initialize, loadLibrary } from './library.ts';
import { listTokens, type Token } from './token.ts';

/** The process that initialises one token: it gets one message, answers it and ends. */
interface Order {
  readonly lib: string;
  readonly label: string;
  readonly pin: Uint8Array;
  readonly soPin: Uint8Array;
}

const LABEL_LENGTH = 32;

function initToken({ lib: path, label, pin, soPin }: Order): Record<string, unknown> {
  const lib = loadLibrary(path);
  initialize(lib);
  const existing = find(lib, label);
  if (existing !== undefined) return { ...describe(existing), created: false };
  const free = listTokens(lib).find((token) => (token.flags & CKF_TOKEN.INITIALIZED) === 0);
  if (free === undefined) {
    throw new HsmError('ERR_HSM_TOKEN_NOT_FOUND', { hint: 'no slot holds an uninitialised token' });
  }
  try {
    const padding = ' '.repeat(LABEL_LENGTH - new TextEncoder().encode(label).length);
    lib.C_InitToken(free.slot, text(soPin), label + padding);
    const session = lib.C_OpenSession(free.slot, CKF_SESSION.SERIAL | CKF_SESSION.RW);
    lib.C_Login(session, CKU.SO, text(soPin));
    lib.C_InitPIN(session, text(pin));
    // SoftHSM moves a new token to another slot, which shows after a new start only.
    lib.C_Finalize();
    initialize(lib);
    const token = find(lib, label);
    if (token === undefined)
      throw new HsmError('ERR_HSM_TOKEN_NOT_FOUND', { hint: 'the new token is not to be seen' });
    return { ...describe(token), created: true };
  } catch (error) {
    throw faultOf(error, 'login');
  }
}

function find(lib: PKCS11, label: string): Token | undefined {
  const tokens = listTokens(lib).filter(
    (token) => (token.flags & CKF_TOKEN.INITIALIZED) !== 0 && token.label === label,
  );
  if (tokens.length > 1) {
    throw new HsmError('ERR_HSM_TOKEN_AMBIGUOUS', {
      hint: `${tokens.length} tokens have this label already`,
    });
  }
  return tokens[0];
}

function describe(token: Token): Record<string, unknown> {
  return { slot: String(token.slotNumber), serial: token.serial, label: token.label };
}

function answer(bytes: Uint8Array): Uint8Array {
  try {
    const message = decodeMessage(bytes);
    const { head } = message;
    const pin = part(message, 'pin', MAX_PIN_BYTES);
    const soPin = part(message, 'soPin', MAX_PIN_BYTES);
    try {
      return encodeMessage({
        token: initToken({ lib: textField(head, 'lib'), label: textField(head, 'label'), pin, soPin }),
      });
    } finally {
      pin.fill(0);
      soPin.fill(0);
    }
  } catch (error) {
    return encodeMessage(errorFields(faultOf(error, 'login')));
  }
}

process.on('message', (bytes: unknown) => {
  if (bytes instanceof Uint8Array) process.send?.(answer(bytes), undefined, undefined, () => process.exit(0));
});
process.on('disconnect', () => process.exit(0));
