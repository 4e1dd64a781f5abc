import { createHash, type KeyObject } from 'node:crypto';
import { errorCode } from '../../../lib/errors.ts';
import type { Random } from '../../../lib/random.ts';
import {
  isManagedHash,
  type ManagedKey,
  type ManagedKeyUse,
  type OpenManagedKey,
} from '../../logical/managed-key.ts';
import { coordinateBytes, fromDer } from './ecdsa-form.ts';
import type { KeyTraits } from './key-type.ts';
import { type KeyVersion, ownSecretKey } from './key-version.ts';
import type { KeyPolicy } from './policy.ts';
import { Refused } from './refused.ts';
import { modulusBits } from './rsa-digest.ts';
import type { SignatureOptions } from './signature.ts';

/**
 * Versions whose private key stays in an HSM (`type=managed_key`). What needs the public key only, encrypting and
 * verifying, is done here as for any key; the rest by the HSM, if the mount may still use the managed key.
 */
export interface ManagedVersion {
  /** Of the managed key. */
  readonly id: string;
  readonly use: ManagedKeyUse;
}

/** How a client names a managed key. */
export interface ManagedKeyChoice {
  readonly managed_key_name: string;
  readonly managed_key_id: string;
}

/** Opens the managed key that is chosen. */
export async function chosenKey(
  open: OpenManagedKey,
  choice: ManagedKeyChoice,
): Promise<ManagedKey | Refused> {
  const { managed_key_name: name, managed_key_id: id } = choice;
  if (name === '' && id === '')
    return new Refused('managed_key_name or managed_key_id is required for keys of type managed_key');
  const key = await open(id === '' ? { name } : { id });
  return 'refused' in key ? new Refused(key.refused) : key;
}

/** The key with one more version, which is the managed key. */
export function withManagedKey(policy: KeyPolicy, key: ManagedKey, random: Random, now: string): KeyPolicy {
  const version: KeyVersion = {
    created: now,
    publicKey: key.publicKey,
    managed: { id: key.id, use: key.use },
    hmac: ownSecretKey(random.bytes(32)),
    convergentVersion: 0,
    chain: [],
  };
  const latestVersion = policy.latestVersion + 1;
  return { ...policy, latestVersion, versions: new Map(policy.versions).set(latestVersion, version) };
}

/** What a public key of a managed key can do. */
export function traitsOfManaged(publicKey: KeyObject): KeyTraits {
  const bits = modulusBits(publicKey);
  if (bits > 0) return { family: 'rsa', bits: bits === 2048 || bits === 3072 ? bits : 4096 };
  const group = publicKey.asymmetricKeyDetails?.namedCurve;
  if (group === 'secp384r1') return { family: 'ecdsa', curve: 'P-384', group };
  if (group === 'secp521r1') return { family: 'ecdsa', curve: 'P-521', group };
  return { family: 'ecdsa', curve: 'P-256', group: 'prime256v1' };
}

/** Signs by the HSM. @throws ERR_HSM_* */
export async function signManaged(
  open: OpenManagedKey,
  { id, use }: ManagedVersion,
  input: Uint8Array,
  { hash, prehashed, scheme, marshaling, salt }: SignatureOptions,
): Promise<Uint8Array | Refused> {
  if (use === 'oaep') return new Refused('the mechanism of the managed key does not sign');
  if (hash === undefined || !isManagedHash(hash.name))
    return new Refused('unsupported hash algorithm for a managed key');
  if (prehashed && input.length !== hash.bytes)
    return new Refused('crypto/rsa: input must be hashed message');
  const digest = prehashed ? input : createHash(hash.name).update(input).digest();
  const key = await chosenKey(open, { managed_key_name: '', managed_key_id: id });
  if (key instanceof Refused) return key;
  const traits = traitsOfManaged(key.publicKey);
  if (traits.family === 'ecdsa') {
    const der = await key.sign(digest, { scheme: 'ecdsa', hash: hash.name });
    return marshaling === 'jws' ? (fromDer(der, coordinateBytes[traits.curve]) ?? der) : der;
  }
  if (scheme === 'pkcs1v15') return key.sign(digest, { scheme: 'pkcs1', hash: hash.name });
  const longest = Math.ceil((modulusBits(key.publicKey) - 1) / 8) - 2 - hash.bytes;
  const saltLength = typeof salt === 'number' && salt > 0 ? salt : hash.bytes;
  if (saltLength > longest) return new Refused(`requested salt length ${saltLength} is invalid`);
  return key.sign(digest, { scheme: 'pss', hash: hash.name, saltLength });
}

/** Decrypts by the HSM. @throws ERR_HSM_* */
export async function decryptManaged(
  open: OpenManagedKey,
  { id, use }: ManagedVersion,
  ciphertext: Uint8Array,
): Promise<Uint8Array | Refused> {
  if (use !== 'oaep') return new Refused('the mechanism of the managed key does not decrypt');
  const key = await chosenKey(open, { managed_key_name: '', managed_key_id: id });
  if (key instanceof Refused) return key;
  try {
    return await key.decrypt(ciphertext, 'sha256');
  } catch (error) {
    if (errorCode(error) !== 'ERR_SEAL_BLOB') throw error;
    return new Refused('failed to RSA decrypt the ciphertext: crypto/rsa: decryption error');
  }
}
