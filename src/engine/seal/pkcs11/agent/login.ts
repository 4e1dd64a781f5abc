import type { Handle, PKCS11 } from 'pkcs11js';
import { text } from '../../../../lib/bytes.ts';
import { HsmError } from '../errors.ts';
import { CKF_TOKEN, CKR, CKS_USER, CKU } from './cryptoki.ts';
import { ckrOf, faultOf } from './fault.ts';
import type { Token } from './token.ts';

/**
 * Presents the PIN at most once, and not at all when the user is logged in already, or when the token says that
 * a wrong one would be the last.
 *
 * @throws ERR_HSM_PIN_INCORRECT, ERR_HSM_PIN_LOCKED, ERR_HSM_PIN_MISSING (none set on the token), ERR_HSM_OPERATION
 */
export function logIn(lib: PKCS11, session: Handle, token: Token, pin: Uint8Array): void {
  try {
    if (CKS_USER.includes(lib.C_GetSessionInfo(session).state)) return;
  } catch (error) {
    throw faultOf(error, 'session');
  }
  if ((token.flags & CKF_TOKEN.USER_PIN_LOCKED) !== 0) {
    throw new HsmError('ERR_HSM_PIN_LOCKED', {
      hint: 'unlock it with the security officer PIN, then restart',
    });
  }
  if ((token.flags & CKF_TOKEN.USER_PIN_FINAL_TRY) !== 0) {
    throw new HsmError('ERR_HSM_PIN_LOCKED', {
      hint: 'one wrong try is left: log in once by hand with the right PIN, then restart',
    });
  }
  try {
    lib.C_Login(session, CKU.USER, text(pin));
  } catch (error) {
    if (ckrOf(error) === CKR.USER_ALREADY_LOGGED_IN) return;
    throw faultOf(error, 'login');
  }
}
