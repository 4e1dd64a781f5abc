import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { view } from '../../../lib/bytes.ts';
import { samePublicKey } from './key-format.ts';
import { HMAC_MAX_BYTES, HMAC_MIN_BYTES, isAsymmetric, type KeyType, traitsOf } from './key-type.ts';
import { type KeyVersion, type Material, ownSecretKey } from './key-version.ts';
import { plainRsa } from './plain-rsa.ts';
import { Refused } from './refused.ts';

/** Reads unwrapped key material, raw or PKCS #8, as a key of a type. The bytes are wiped. */
export function readPrivate(type: KeyType, bytes: Uint8Array): Material | Refused {
  const traits = traitsOf(type);
  if (traits.family === 'aead' || traits.family === 'hmac') {
    const fits =
      traits.family === 'aead'
        ? bytes.length === traits.bytes
        : bytes.length >= HMAC_MIN_BYTES && bytes.length <= HMAC_MAX_BYTES;
    const { length } = bytes;
    if (fits) return { secret: ownSecretKey(bytes) };
    bytes.fill(0);
    return new Refused(`invalid key size ${length} bytes for key type ${type}`);
  }
  let privateKey: KeyObject;
  try {
    privateKey = plainRsa(createPrivateKey({ key: view(bytes), format: 'der', type: 'pkcs8' }));
  } catch {
    return new Refused('error parsing asymmetric key: not a PKCS #8 private key');
  } finally {
    bytes.fill(0);
  }
  return checkType(type, privateKey) ?? { privateKey };
}

/** Reads a PEM public key as a key of a type. */
export function readPublic(type: KeyType, pem: string): Material | Refused {
  const { family } = traitsOf(type);
  if (family === 'aead' || family === 'hmac')
    return new Refused('provided type does not support public_key import');
  // A private key in the clear would be accepted as its public half, and must not come this way at all.
  if (!/-----BEGIN (?:RSA )?PUBLIC KEY-----/.test(pem))
    return new Refused('error parsing public key: not in PEM format');
  let publicKey: KeyObject;
  try {
    publicKey = plainRsa(createPublicKey({ key: pem, format: 'pem' }));
  } catch {
    return new Refused('error parsing public key');
  }
  return checkType(type, publicKey) ?? { publicKey };
}

/** @returns a refusal unless a private key is the missing half of a version */
export function checkPair(version: KeyVersion, material: Material): Refused | undefined {
  if (!('privateKey' in material))
    return new Refused('cannot add a public key to a key version that already has a public key set');
  if (version.privateKey !== undefined)
    return new Refused('private key imported, key version cannot be updated');
  return version.publicKey !== undefined &&
    samePublicKey(version.publicKey, createPublicKey(material.privateKey))
    ? undefined
    : new Refused('cannot import key, key pair does not match');
}

/** @returns whether a version's material is such as the type has */
export function isOfType(type: KeyType, { secret, publicKey }: KeyVersion): boolean {
  const traits = traitsOf(type);
  if (publicKey !== undefined) return isAsymmetric(type) && checkType(type, publicKey) === undefined;
  const bytes = secret?.symmetricKeySize ?? 0;
  if (traits.family === 'hmac') return bytes >= HMAC_MIN_BYTES && bytes <= HMAC_MAX_BYTES;
  return traits.family === 'aead' && bytes === traits.bytes;
}

function checkType(type: KeyType, key: KeyObject): Refused | undefined {
  const traits = traitsOf(type);
  const actual = key.asymmetricKeyType;
  const details = key.asymmetricKeyDetails;
  const expected = traits.family === 'ecdsa' ? 'ec' : traits.family === 'ed25519' ? 'ed25519' : 'rsa';
  if (actual !== expected)
    return new Refused(`invalid key type: expected ${type}, got ${actual ?? 'unknown'}`);
  if (traits.family === 'ecdsa' && details?.namedCurve !== traits.group)
    return new Refused(`invalid curve: expected ${traits.curve}`);
  if (traits.family === 'rsa' && details?.modulusLength !== traits.bits)
    return new Refused(
      `invalid key size: expected ${traits.bits / 8} bytes, got ${Math.ceil((details?.modulusLength ?? 0) / 8)} bytes`,
    );
  return undefined;
}
