import { createHash, createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { SubjectPublicKeyInfo } from '@peculiar/asn1-x509';
import { equalBytes } from '../../../../lib/bytes.ts';
import { generateRsaKey } from '../../../../lib/rsa-key.ts';
import type { KeyShape, KeyType } from '../key-type.ts';
import { toPem } from '../pem.ts';
import { decode } from './der.ts';
import { knownPart, type SigningKey } from './signing-key.ts';

const CURVES: ReadonlyMap<number, string> = new Map([
  [224, 'secp224r1'],
  [256, 'prime256v1'],
  [384, 'secp384r1'],
  [521, 'secp521r1'],
]);
const BITS: ReadonlyMap<string, number> = new Map([...CURVES].map(([bits, curve]) => [curve, bits]));

/** A new private key. */
export async function generateKey({ keyType, keyBits }: KeyShape): Promise<KeyObject> {
  if (keyType === 'rsa') return (await generateRsaKey(keyBits)).privateKey;
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, _publicKey: KeyObject, privateKey: KeyObject): void => {
      if (error === null) resolve(privateKey);
      else reject(error);
    };
    if (keyType === 'ed25519') generateKeyPair('ed25519', {}, done);
    else generateKeyPair('ec', { namedCurve: CURVES.get(keyBits) ?? 'prime256v1' }, done);
  });
}

/** @returns undefined for keys of other types or curves */
export function shapeOf(key: KeyObject): KeyShape | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'rsa') return { keyType: 'rsa', keyBits: details?.modulusLength ?? 0 };
  if (type === 'ed25519') return { keyType: 'ed25519', keyBits: 0 };
  const keyBits = type === 'ec' ? BITS.get(details?.namedCurve ?? '') : undefined;
  return keyBits === undefined ? undefined : { keyType: 'ec', keyBits };
}

/** A private key of PKCS #8, PKCS #1 or SEC 1 in DER, by what it holds. */
export function readPrivateKey(der: Uint8Array): KeyObject | undefined {
  for (const label of ['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY']) {
    try {
      const key = createPrivateKey(toPem(label, der));
      return shapeOf(key) === undefined ? undefined : key;
    } catch {
      // Not of this form; the next one is tried.
    }
  }
  return undefined;
}

/** @returns undefined for what is no public key of a known type and curve */
export function readPublicKey(spki: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey(toPem('PUBLIC KEY', spki));
    return shapeOf(key) === undefined ? undefined : key;
  } catch {
    return undefined;
  }
}

/** SubjectPublicKeyInfo of a private or public key. */
export function spkiOf(given: SigningKey): Uint8Array {
  const key = knownPart(given);
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
}

/** @returns whether two keys, private or public, are of one pair */
export function sameKey(left: SigningKey, right: SigningKey): boolean {
  return equalBytes(spkiOf(left), spkiOf(right));
}

/** The subject key identifier: SHA-1 of the public key's bits (RFC 5280 §4.2.1.2, method 1). */
export function keyIdentifier(spki: Uint8Array): Uint8Array {
  return hashOfKey(spki, 'sha1');
}

/** A digest of the bits of a public key, as OCSP names issuers. */
export function hashOfKey(spki: Uint8Array, hash: string): Uint8Array {
  const info = decode(spki, SubjectPublicKeyInfo);
  return new Uint8Array(
    createHash(hash)
      .update(new Uint8Array(info?.subjectPublicKey ?? spki))
      .digest(),
  );
}

/** The private key in the traditional form of its type, or in PKCS #8: label and DER. */
export function exportPrivate(
  key: KeyObject,
  pkcs8: boolean,
): { readonly label: string; readonly der: Uint8Array } {
  const type = shapeOf(key)?.keyType;
  if (pkcs8 || type === 'ed25519' || type === undefined)
    return { label: 'PRIVATE KEY', der: new Uint8Array(key.export({ type: 'pkcs8', format: 'der' })) };
  return type === 'rsa'
    ? { label: 'RSA PRIVATE KEY', der: new Uint8Array(key.export({ type: 'pkcs1', format: 'der' })) }
    : { label: 'EC PRIVATE KEY', der: new Uint8Array(key.export({ type: 'sec1', format: 'der' })) };
}

/** The type of a key that this engine made or took in. */
export function typeOf(key: SigningKey): KeyType {
  return shapeOf(knownPart(key))?.keyType ?? 'rsa';
}
