import type { Handle, PKCS11 } from 'pkcs11js';
import { equalBytes, view } from '../../../../lib/bytes.ts';
import { HsmError } from '../errors.ts';
import type { LegacyKeys } from '../mechanism.ts';
import type { Sealed } from '../protocol.ts';
import { CKM } from './cryptoki.ts';
import { faultOf } from './fault.ts';
import { describe, findHmacKey, findKey, type KeyChoice } from './key.ts';

/**
 * Opens a value that Vault Enterprise sealed with CKM_AES_CBC_PAD (vault-blob.ts): the HMAC, which the HSM computes over
 * IV and ciphertext, must be right before anything is decrypted.
 *
 * @param fallback the configured key, for values that do not name theirs
 * @throws ERR_HSM_KEY_NOT_FOUND, ERR_SEAL_BLOB, ERR_HSM_OPERATION
 */
export function openLegacy(
  lib: PKCS11,
  session: Handle,
  sealed: Sealed,
  keys: LegacyKeys | undefined,
  fallback: KeyChoice,
): Uint8Array {
  const { hmac, iv, ciphertext } = sealed;
  if (keys === undefined || hmac === undefined) {
    throw new HsmError('ERR_SEAL_BLOB', {
      hint: 'Vault Enterprise sealed it with CKM_AES_CBC_PAD: set hmac_key_label or hmac_key_id to read it',
    });
  }
  const hmacChoice = named(hmac, keys.defaultHmacKeyLabel, {
    ...(keys.hmacKeyLabel === undefined ? {} : { keyLabel: keys.hmacKeyLabel }),
    ...(keys.hmacKeyId === undefined ? {} : { keyId: keys.hmacKeyId }),
  });
  const choice = {
    ...named(sealed, keys.defaultKeyLabel, fallback),
    mechanism: 'CKM_AES_GCM' as const,
  };
  const hmacKey = findHmacKey(lib, session, hmacChoice);
  if (hmacKey === undefined) throw missing('HMAC', hmacChoice);
  const key = findKey(lib, session, choice);
  if (key === undefined) throw missing('AES', choice);
  if (!equalBytes(sign(lib, session, hmacKey, [iv, ciphertext]), hmac.value))
    throw new HsmError('ERR_SEAL_BLOB', { hint: 'its HMAC is wrong' });
  try {
    lib.C_DecryptInit(session, { mechanism: CKM.AES_CBC_PAD, parameter: view(iv) }, key.handle);
    return lib.C_Decrypt(session, view(ciphertext), Buffer.alloc(ciphertext.length));
  } catch (error) {
    throw faultOf(error, 'decrypt');
  }
}

function sign(lib: PKCS11, session: Handle, key: Handle, parts: readonly Uint8Array[]): Uint8Array {
  try {
    lib.C_SignInit(session, { mechanism: CKM.SHA256_HMAC }, key);
    return lib.C_Sign(session, Buffer.concat(parts), Buffer.alloc(32));
  } catch (error) {
    throw faultOf(error, 'decrypt');
  }
}

// What the value says counts; then what is configured for values that say nothing; then the key in use.
function named(
  value: { readonly keyLabel: string; readonly keyId: string },
  defaultLabel: string | undefined,
  fallback: KeyChoice,
): KeyChoice {
  if (value.keyLabel !== '' || value.keyId !== '') {
    return {
      ...(value.keyLabel === '' ? {} : { keyLabel: value.keyLabel }),
      ...(value.keyId === '' ? {} : { keyId: value.keyId }),
    };
  }
  return defaultLabel === undefined ? fallback : { keyLabel: defaultLabel };
}

function missing(kind: string, choice: KeyChoice): HsmError {
  return new HsmError('ERR_HSM_KEY_NOT_FOUND', {
    hint: `the ${kind} key of a value that Vault Enterprise sealed: ${describe(choice)}`,
    repair: 'ladder',
  });
}
