import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHmac,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
} from 'node:crypto';
import { concat, toBase64 } from '../../../lib/bytes.ts';
import type { Random } from '../../../lib/random.ts';
import type { OpenManagedKey } from '../../logical/managed-key.ts';
import { decodeBase64 } from './base64.ts';
import { deriveBytes } from './derive.ts';
import { type AeadCipher, encrypts, traitsOf } from './key-type.ts';
import type { KeyVersion } from './key-version.ts';
import { decryptManaged } from './managed.ts';
import { type KeyPolicy, versionFor } from './policy.ts';
import { noSuchVersion, Refused, softDeleted, tooOld } from './refused.ts';
import { formatVersioned, parseVersioned } from './versioned.ts';
import { narrowed } from './xchacha.ts';

/**
 * Ciphertexts. With an AEAD key the payload is nonce (12, of XChaCha20 24) | ciphertext | tag (16). The nonce is random; with a
 * convergent key it is the first bytes of HMAC-SHA256(plaintext) under a key that is derived, together with the
 * encryption key, from the context: HKDF yields encryption key | HMAC key (32). With an RSA key the payload is
 * RSA-OAEP with SHA-256.
 */
export interface Extras {
  readonly context?: Uint8Array | undefined;
  readonly associatedData?: Uint8Array | undefined;
}

export interface Encrypted {
  readonly ciphertext: string;
  readonly keyVersion: number;
}

const TAG = 16;
const OAEP = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' } as const;

/** Encrypts with a version of a key; 0 is the latest. */
export function encrypt(
  policy: KeyPolicy,
  plaintext: Uint8Array,
  keyVersion: number,
  extras: Extras,
  random: Random,
): Encrypted | Refused {
  if (policy.softDeleted) return softDeleted;
  if (!encrypts(policy.type))
    return new Refused(`message encryption not supported for key type ${policy.type}`);
  const chosen = versionFor(policy, keyVersion, 'encryption');
  if (chosen instanceof Refused) return chosen;
  const { number, version } = chosen;
  const traits = traitsOf(policy.type);
  if (version.managed !== undefined && version.managed.use !== 'oaep')
    return new Refused('the mechanism of the managed key does not encrypt');
  const bytes =
    traits.family === 'aead'
      ? seal(policy, version, traits.cipher, traits.bytes, plaintext, extras, random)
      : encryptRsa(version, plaintext);
  if (bytes instanceof Refused) return bytes;
  return { ciphertext: formatVersioned(number, toBase64(bytes)), keyVersion: number };
}

/** Decrypts with the version that the ciphertext names. The caller wipes the plaintext. */
export function decrypt(policy: KeyPolicy, ciphertext: string, extras: Extras): Uint8Array | Refused {
  const found = sealedBy(policy, ciphertext);
  return found instanceof Refused ? found : decryptHere(policy, found.version, found.bytes, extras);
}

/** As decrypt, also with a managed key. @throws ERR_HSM_* */
export async function decryptByAny(
  policy: KeyPolicy,
  ciphertext: string,
  extras: Extras,
  open: OpenManagedKey,
): Promise<Uint8Array | Refused> {
  const found = sealedBy(policy, ciphertext);
  if (found instanceof Refused) return found;
  const { version, bytes } = found;
  return version.managed === undefined
    ? decryptHere(policy, version, bytes, extras)
    : decryptManaged(open, version.managed, bytes);
}

function sealedBy(
  policy: KeyPolicy,
  ciphertext: string,
): { readonly version: KeyVersion; readonly bytes: Uint8Array } | Refused {
  if (policy.softDeleted) return softDeleted;
  if (!encrypts(policy.type))
    return new Refused(`message decryption not supported for key type ${policy.type}`);
  const parsed = parseVersioned(ciphertext);
  if (typeof parsed === 'string') return new Refused(`invalid ciphertext: ${parsed}`);
  // The first implementation of this form counted from zero.
  const number = parsed.version === 0 ? 1 : parsed.version;
  if (number > policy.latestVersion) return new Refused('invalid ciphertext: version is too new');
  if (number < policy.minDecryptionVersion) return tooOld;
  const bytes = decodeBase64(parsed.payload);
  if (bytes instanceof Refused) return new Refused('invalid ciphertext: could not decode base64');
  const version = policy.versions.get(number);
  return version === undefined ? noSuchVersion : { version, bytes };
}

function decryptHere(
  policy: KeyPolicy,
  version: KeyVersion,
  bytes: Uint8Array,
  extras: Extras,
): Uint8Array | Refused {
  const traits = traitsOf(policy.type);
  return traits.family === 'aead'
    ? openAead(policy, version, traits.cipher, traits.bytes, bytes, extras)
    : decryptRsa(version, bytes);
}

function seal(
  policy: KeyPolicy,
  version: KeyVersion,
  cipher: AeadCipher,
  keyBytes: number,
  plaintext: Uint8Array,
  extras: Extras,
  random: Random,
): Uint8Array | Refused {
  const { secret } = version;
  if (secret === undefined) return noSuchVersion;
  if (!policy.derived)
    return sealRaw(cipher, secret, random.bytes(nonceLength(cipher)), plaintext, extras.associatedData);
  const derived = deriveBytes(secret, extras.context, policy.convergent ? keyBytes + 32 : keyBytes);
  if (derived instanceof Refused) return derived;
  const nonce = policy.convergent
    ? createHmac('sha256', derived.subarray(keyBytes))
        .update(plaintext)
        .digest()
        .subarray(0, nonceLength(cipher))
    : random.bytes(nonceLength(cipher));
  const sealed = sealRaw(cipher, derived.subarray(0, keyBytes), nonce, plaintext, extras.associatedData);
  derived.fill(0);
  return sealed;
}

function sealRaw(
  cipher: AeadCipher,
  key: KeyObject | Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  associatedData: Uint8Array | undefined,
): Uint8Array {
  const how = opensslWay(cipher, key, nonce);
  const sealing = createCipheriv(how.name, how.key, how.nonce, { authTagLength: TAG });
  if (associatedData !== undefined) sealing.setAAD(associatedData);
  const body = sealing.update(plaintext);
  how.wipe();
  return concat(nonce, body, sealing.final(), sealing.getAuthTag());
}

function openAead(
  policy: KeyPolicy,
  version: KeyVersion,
  cipher: AeadCipher,
  keyBytes: number,
  sealed: Uint8Array,
  extras: Extras,
): Uint8Array | Refused {
  const { secret } = version;
  if (secret === undefined) return noSuchVersion;
  if (sealed.length < nonceLength(cipher)) return new Refused('invalid ciphertext length');
  if (!policy.derived) return openRaw(cipher, secret, sealed, extras.associatedData);
  const key = deriveBytes(secret, extras.context, keyBytes);
  if (key instanceof Refused) return key;
  const plaintext = openRaw(cipher, key, sealed, extras.associatedData);
  key.fill(0);
  return plaintext;
}

function openRaw(
  cipher: AeadCipher,
  key: KeyObject | Uint8Array,
  sealed: Uint8Array,
  associatedData: Uint8Array | undefined,
): Uint8Array | Refused {
  const failed = new Refused(
    `${cipher.endsWith('chacha20-poly1305') ? 'chacha20poly1305' : 'cipher'}: message authentication failed`,
  );
  const begin = nonceLength(cipher);
  if (sealed.length < begin + TAG) return failed;
  const end = sealed.length - TAG;
  const how = opensslWay(cipher, key, sealed.subarray(0, begin));
  const opening = createDecipheriv(how.name, how.key, how.nonce, { authTagLength: TAG });
  how.wipe();
  opening.setAuthTag(sealed.subarray(end));
  if (associatedData !== undefined) opening.setAAD(associatedData);
  const plaintext = opening.update(sealed.subarray(begin, end));
  try {
    opening.final();
    return plaintext;
  } catch {
    plaintext.fill(0);
    return failed;
  }
}

function nonceLength(cipher: AeadCipher): 12 | 24 {
  return cipher === 'xchacha20-poly1305' ? 24 : 12;
}

// One signature of createCipheriv for all: AEADs with the same lengths. OpenSSL copies the key.
function opensslWay(
  cipher: AeadCipher,
  key: KeyObject | Uint8Array,
  nonce: Uint8Array,
): {
  readonly name: 'aes-256-gcm';
  readonly key: KeyObject | Uint8Array;
  readonly nonce: Uint8Array;
  readonly wipe: () => void;
} {
  if (cipher !== 'xchacha20-poly1305')
    return { name: cipher as 'aes-256-gcm', key, nonce, wipe: () => undefined };
  const own = narrowed(key, nonce);
  return { name: 'chacha20-poly1305' as 'aes-256-gcm', ...own, wipe: () => void own.key.fill(0) };
}

function encryptRsa(version: KeyVersion, plaintext: Uint8Array): Uint8Array | Refused {
  const key = version.publicKey;
  if (key === undefined) return noSuchVersion;
  try {
    return publicEncrypt({ key, ...OAEP }, plaintext);
  } catch {
    return new Refused('failed to RSA encrypt the plaintext: crypto/rsa: message too long for RSA key size');
  }
}

function decryptRsa(version: KeyVersion, ciphertext: Uint8Array): Uint8Array | Refused {
  const key = version.privateKey;
  if (key === undefined)
    return new Refused('cannot decrypt ciphertext, key version does not have a private counterpart');
  try {
    return privateDecrypt({ key, ...OAEP }, ciphertext);
  } catch {
    return new Refused('failed to RSA decrypt the ciphertext: crypto/rsa: decryption error');
  }
}

/** @returns the text of an optional base64 member as bytes; empty text is none */
export function optionalBytes(text: string | undefined): Uint8Array | undefined | Refused {
  return text === undefined || text === '' ? undefined : decodeBase64(text);
}
