import { generateRsaKey } from '../../../lib/rsa-key.ts';
import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPair,
  type KeyObject,
} from 'node:crypto';
import { promisify } from 'node:util';
import { concat, fromBase64, toBase64, view } from '../../../lib/bytes.ts';
import type { KeyRandom } from '../../../lib/key-random.ts';
import type { Random } from '../../../lib/random.ts';
import { decodeBase64Url } from './base64.ts';
import { keyPairFrom } from './key-from-random.ts';
import { type KeyType, traitsOf } from './key-type.ts';
import type { ManagedVersion } from './managed.ts';

/** One version of a key. Material is held as KeyObjects only: native handles that do not print. */
export interface KeyVersion {
  /** RFC 3339. */
  readonly created: string;
  /** AEAD and HMAC keys; of an Ed25519 key with derivation the input of the KDF. */
  readonly secret?: KeyObject;
  /** Missing where only a public key was imported. */
  readonly privateKey?: KeyObject;
  readonly publicKey?: KeyObject;
  /** The private key is in an HSM. */
  readonly managed?: ManagedVersion;
  readonly hmac: KeyObject;
  /** 3 for keys that encrypt convergently, 0 otherwise. */
  readonly convergentVersion: number;
  /** DER in base64, leaf first. */
  readonly chain: readonly string[];
}

/** A version as it is stored: base64 of raw bytes, PKCS #8 or SubjectPublicKeyInfo. */
export interface StoredVersion {
  readonly created: string;
  readonly key?: string;
  readonly publicKey?: string;
  readonly managed?: ManagedVersion;
  readonly hmac: string;
  readonly convergentVersion?: number;
  readonly chain?: readonly string[];
}

/** What decides how a new version is made. */
export interface VersionShape {
  readonly type: KeyType;
  readonly keySize: number;
  readonly derived: boolean;
  readonly convergent: boolean;
}

export type Material =
  | { readonly secret: KeyObject }
  | { readonly privateKey: KeyObject }
  | { readonly publicKey: KeyObject };

const CONVERGENT_VERSION = 3;
const keyPair = promisify(generateKeyPair);

/** Copies bytes into a native key and wipes them. */
export function ownSecretKey(bytes: Uint8Array): KeyObject {
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}

/** Makes a version of fresh material; key pairs are made off the main thread. */
export async function generateVersion(
  shape: VersionShape,
  random: KeyRandom,
  now: string,
): Promise<KeyVersion> {
  await random.ready();
  return buildVersion(shape, await generateMaterial(shape, random), random, now);
}

/** A version around given material, with an HMAC key of its own. */
export function buildVersion(
  shape: VersionShape,
  material: Material,
  random: Random,
  now: string,
): KeyVersion {
  const hmac =
    shape.type === 'hmac' && 'secret' in material ? material.secret : ownSecretKey(random.bytes(32));
  return {
    created: now,
    ...complete(material, shape.type, shape.derived),
    hmac,
    convergentVersion: shape.convergent ? CONVERGENT_VERSION : 0,
    chain: [],
  };
}

async function generateMaterial(shape: VersionShape, random: KeyRandom): Promise<Material> {
  const traits = traitsOf(shape.type);
  if (
    random.augmented &&
    (traits.family === 'ecdsa' || traits.family === 'ed25519' || traits.family === 'rsa')
  )
    return { privateKey: await keyPairFrom(traits, random) };
  switch (traits.family) {
    case 'aead':
      return { secret: ownSecretKey(random.bytes(traits.bytes)) };
    case 'hmac':
      return { secret: ownSecretKey(random.bytes(shape.keySize)) };
    case 'ecdsa':
      return { privateKey: (await keyPair('ec', { namedCurve: traits.group })).privateKey };
    case 'ed25519':
      return { privateKey: (await keyPair('ed25519', {})).privateKey };
    case 'rsa':
      return { privateKey: (await generateRsaKey(traits.bits)).privateKey };
    case 'managed':
      throw new TypeError('a managed key is never made of random bytes');
  }
}

function complete(
  material: Material,
  type: KeyType,
  derived: boolean,
): Pick<KeyVersion, 'secret' | 'privateKey' | 'publicKey'> {
  if (!('privateKey' in material)) return material;
  const { privateKey } = material;
  const publicKey = createPublicKey(privateKey);
  return derived && type === 'ed25519'
    ? { privateKey, publicKey, secret: derivationInput(privateKey) }
    : { privateKey, publicKey };
}

// The KDF of an Ed25519 key takes seed and public key, 64 bytes, as its input.
function derivationInput(privateKey: KeyObject): KeyObject {
  const { d, x } = privateKey.export({ format: 'jwk' });
  return ownSecretKey(concat(decodeBase64Url(d ?? '') ?? empty, decodeBase64Url(x ?? '') ?? empty));
}

const empty = new Uint8Array(0);

/** The form in which a version is stored. */
export function encodeVersion(version: KeyVersion): StoredVersion {
  const { created, secret, privateKey, publicKey, managed, hmac, convergentVersion, chain } = version;
  const key =
    privateKey?.export({ type: 'pkcs8', format: 'der' }) ??
    (publicKey === undefined ? secret?.export() : undefined);
  return {
    created,
    ...(key === undefined ? {} : { key: toBase64(key) }),
    ...(publicKey === undefined
      ? {}
      : { publicKey: toBase64(publicKey.export({ type: 'spki', format: 'der' })) }),
    ...(managed === undefined ? {} : { managed }),
    hmac: toBase64(hmac.export()),
    ...(convergentVersion === 0 ? {} : { convergentVersion }),
    ...(chain.length === 0 ? {} : { chain }),
  };
}

/** Parses a stored version, once: operations use the native keys it yields. @throws TypeError for a broken document */
export function decodeVersion(stored: StoredVersion, type: KeyType, derived: boolean): KeyVersion {
  const { key } = stored;
  const symmetric = stored.publicKey === undefined;
  const material: Material =
    key === undefined
      ? {
          publicKey: createPublicKey({ key: derText(stored.publicKey ?? ''), format: 'der', type: 'spki' }),
        }
      : symmetric
        ? { secret: ownSecretKey(stringBytes(key)) }
        : { privateKey: createPrivateKey({ key: derText(key), format: 'der', type: 'pkcs8' }) };
  return {
    created: stored.created,
    ...complete(material, type, derived),
    ...(stored.managed === undefined ? {} : { managed: stored.managed }),
    hmac: type === 'hmac' && 'secret' in material ? material.secret : ownSecretKey(stringBytes(stored.hmac)),
    convergentVersion: stored.convergentVersion ?? 0,
    chain: stored.chain ?? [],
  };
}

function stringBytes(value: string): Uint8Array {
  const bytes = fromBase64(value);
  if (bytes === undefined) throw new TypeError('a stored key is not base64');
  return bytes;
}

function derText(value: string): Buffer {
  return view(stringBytes(value));
}
