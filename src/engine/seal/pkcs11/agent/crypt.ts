import { constants, createHash, createPublicKey, publicEncrypt } from 'node:crypto';
import { AesGcm240Params, RsaOaepParams } from 'graphene-pk11';
import type { Handle, Mechanism, PKCS11 } from 'pkcs11js';
import { concat, equalBytes, view } from '../../../../lib/bytes.ts';
import { HsmError } from '../errors.ts';
import {
  GCM_IV_LENGTH,
  GCM_TAG_LENGTH,
  MECHANISM_NUMBERS,
  OAEP_NUMBERS,
  type OaepHash,
} from '../mechanism.ts';
import type { Sealed } from '../protocol.ts';
import { CKR } from './cryptoki.ts';
import { ckrOf, faultOf } from './fault.ts';
import type { Key } from './key.ts';

export interface CryptOptions {
  readonly oaepHash: OaepHash;
  readonly encryptLocally: boolean;
}

type SealedBytes = Pick<Sealed, 'iv' | 'ciphertext'> & { readonly oaepHash?: OaepHash };

/** Encrypts by the key. @throws ERR_HSM_OPERATION, ERR_HSM_MECHANISM, ERR_HSM_KEY_UNUSABLE */
export function encrypt(
  lib: PKCS11,
  session: Handle,
  key: Key,
  plaintext: Uint8Array,
  aad: Uint8Array,
  options: CryptOptions,
): SealedBytes {
  try {
    if (key.mechanism === 'CKM_AES_GCM') return encryptGcm(lib, session, key, plaintext, aad);
    return encryptOaep(lib, session, key, plaintext, aad, options);
  } catch (error) {
    throw faultOf(error, 'encrypt');
  }
}

/** Decrypts by the key. @throws ERR_SEAL_BLOB when it does not authenticate; the others as encrypt */
export function decrypt(
  lib: PKCS11,
  session: Handle,
  key: Key,
  sealed: SealedBytes,
  aad: Uint8Array,
): Uint8Array {
  try {
    if (key.mechanism === 'CKM_AES_GCM') return decryptGcm(lib, session, key, sealed, aad);
    return decryptOaep(lib, session, key, sealed, aad);
  } catch (error) {
    throw faultOf(error, 'decrypt');
  }
}

function encryptGcm(
  lib: PKCS11,
  session: Handle,
  key: Key,
  plaintext: Uint8Array,
  aad: Uint8Array,
): SealedBytes {
  const given = lib.C_GenerateRandom(session, Buffer.alloc(GCM_IV_LENGTH));
  try {
    return encryptGcmWith(given, lib, session, key, plaintext, aad);
  } catch (error) {
    if (!IV_REFUSED.includes(ckrOf(error) ?? -1)) throw error;
  }
  // Some HSMs take no IV but their own, and want to be given zeros to write it over.
  const zeros = Buffer.alloc(GCM_IV_LENGTH);
  const sealed = encryptGcmWith(zeros, lib, session, key, plaintext, aad);
  if (sealed.iv.every((byte) => byte === 0)) {
    throw new HsmError('ERR_HSM_MECHANISM', {
      hint: 'the HSM refuses an IV and does not say which one it used: use an RSA key',
    });
  }
  return sealed;
}

const IV_REFUSED: readonly number[] = [CKR.ARGUMENTS_BAD, CKR.MECHANISM_PARAM_INVALID];

/** @param iv is what the HSM reads, and what it may write */
function encryptGcmWith(
  iv: Buffer,
  lib: PKCS11,
  session: Handle,
  key: Key,
  plaintext: Uint8Array,
  aad: Uint8Array,
): SealedBytes {
  const sealedLength = plaintext.length + GCM_TAG_LENGTH;
  lib.C_EncryptInit(session, gcm(iv, aad), key.handle);
  const out = lib.C_Encrypt(session, view(plaintext), Buffer.alloc(sealedLength + GCM_IV_LENGTH));
  // An HSM that makes an IV of its own puts it behind the tag, or where the given one was.
  if (out.length === sealedLength + GCM_IV_LENGTH) {
    return {
      iv: Uint8Array.from(out.subarray(sealedLength)),
      ciphertext: Uint8Array.from(out.subarray(0, sealedLength)),
    };
  }
  return { iv: Uint8Array.from(iv), ciphertext: out };
}

function decryptGcm(
  lib: PKCS11,
  session: Handle,
  key: Key,
  sealed: SealedBytes,
  aad: Uint8Array,
): Uint8Array {
  // SoftHSM would accept an empty IV, and leaves the operation open for an empty ciphertext.
  if (sealed.iv.length !== GCM_IV_LENGTH || sealed.ciphertext.length <= GCM_TAG_LENGTH) throw malformedBlob();
  lib.C_DecryptInit(session, gcm(sealed.iv, aad), key.handle);
  return lib.C_Decrypt(session, view(sealed.ciphertext), Buffer.alloc(sealed.ciphertext.length));
}

function gcm(iv: Uint8Array, aad: Uint8Array): Mechanism {
  // The older parameter structure leaves the number of IV bits uninitialised.
  const parameter = new AesGcm240Params(view(iv), view(aad), GCM_TAG_LENGTH * 8).toCKI();
  return { mechanism: MECHANISM_NUMBERS.CKM_AES_GCM, parameter };
}

// OAEP has no additional data (SoftHSM refuses its label): the digest of the context goes before the plaintext.
function encryptOaep(
  lib: PKCS11,
  session: Handle,
  key: Key,
  plaintext: Uint8Array,
  aad: Uint8Array,
  { oaepHash, encryptLocally }: CryptOptions,
): SealedBytes {
  const input = concat(digest(aad), plaintext);
  try {
    const modulusLength = trimmed(key.modulus).length;
    const most = modulusLength - 2 * createHash(oaepHash).digest().length - 2;
    if (modulusLength > 0 && input.length > most) {
      throw new HsmError('ERR_HSM_KEY_UNUSABLE', {
        hint: 'the RSA key is too small for this value and rsa_oaep_hash',
      });
    }
    if (encryptLocally)
      return { iv: new Uint8Array(), ciphertext: localOaep(key, input, oaepHash), oaepHash };
    if (key.publicHandle === undefined) {
      throw new HsmError('ERR_HSM_KEY_UNUSABLE', {
        hint: 'its public key is not on the token; set rsa_encrypt_local',
      });
    }
    lib.C_EncryptInit(session, oaep(oaepHash), key.publicHandle);
    const ciphertext = lib.C_Encrypt(session, view(input), Buffer.alloc(Math.max(modulusLength, 1024)));
    return { iv: new Uint8Array(), ciphertext, oaepHash };
  } finally {
    input.fill(0);
  }
}

function decryptOaep(
  lib: PKCS11,
  session: Handle,
  key: Key,
  sealed: SealedBytes,
  aad: Uint8Array,
): Uint8Array {
  if (sealed.oaepHash === undefined || sealed.ciphertext.length === 0) throw malformedBlob();
  lib.C_DecryptInit(session, oaep(sealed.oaepHash), key.handle);
  const output = lib.C_Decrypt(session, view(sealed.ciphertext), Buffer.alloc(sealed.ciphertext.length));
  try {
    const wanted = digest(aad);
    if (output.length <= wanted.length || !equalBytes(output.subarray(0, wanted.length), wanted)) {
      throw new HsmError('ERR_SEAL_BLOB', { hint: 'it was sealed in another context' });
    }
    return Uint8Array.from(output.subarray(wanted.length));
  } finally {
    output.fill(0);
  }
}

function localOaep(key: Key, input: Uint8Array, oaepHash: OaepHash): Uint8Array {
  const base64url = (bytes: Uint8Array): string => view(bytes).toString('base64url');
  const jwk = { kty: 'RSA', n: base64url(trimmed(key.modulus)), e: base64url(trimmed(key.exponent)) };
  const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
  return publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, input);
}

function oaep(hash: OaepHash): Mechanism {
  const numbers = OAEP_NUMBERS[hash];
  return {
    mechanism: MECHANISM_NUMBERS.CKM_RSA_PKCS_OAEP,
    parameter: new RsaOaepParams(numbers.hash, numbers.mgf).toCKI(),
  };
}

function trimmed(bytes: Uint8Array | undefined): Uint8Array {
  const all = bytes ?? new Uint8Array();
  let start = 0;
  while (start < all.length && all[start] === 0) start += 1;
  return all.subarray(start);
}

function digest(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

function malformedBlob(): HsmError {
  return new HsmError('ERR_SEAL_BLOB', { hint: 'its IV or ciphertext has an impossible length' });
}
