import {
  constants,
  createPublicKey,
  type KeyObject,
  sign as nodeSign,
  verify as nodeVerify,
} from 'node:crypto';
import { toBase64, view } from '../../../lib/bytes.ts';
import type { Random } from '../../../lib/random.ts';
import { decodeBase64, decodeBase64Url } from './base64.ts';
import { deriveEd25519 } from './derive.ts';
import { ecdsaDer } from '../../../lib/ecdsa-der.ts';
import { coordinateBytes, fromDer } from './ecdsa-form.ts';
import type { HashFunction } from './hash.ts';
import { noManagedKeys, type OpenManagedKey } from '../../logical/managed-key.ts';
import { type KeyTraits, signs, traitsOf } from './key-type.ts';
import type { KeyVersion } from './key-version.ts';
import { signManaged, traitsOfManaged } from './managed.ts';
import { type KeyPolicy, versionFor } from './policy.ts';
import { noSuchVersion, Refused, softDeleted, tooOld } from './refused.ts';
import { modulusBits, signPkcs1, signPss, verifyPkcs1, verifyPss } from './rsa-digest.ts';
import { formatVersioned, parseVersioned } from './versioned.ts';

export interface SignatureOptions {
  /** Undefined: `none`, the input is signed as it is, with PKCS #1 v1.5 only. */
  readonly hash: HashFunction | undefined;
  readonly prehashed: boolean;
  readonly scheme: 'pss' | 'pkcs1v15';
  readonly marshaling: 'asn1' | 'jws';
  readonly salt: SaltLength;
}

/** Of PSS: as long as possible when signing and any when verifying, as long as the digest, or bytes. */
export type SaltLength = 'auto' | 'hash' | number;

export interface Signed {
  readonly signature: string;
  readonly keyVersion: number;
  /** Of an Ed25519 key that was derived for the request. */
  readonly publicKey: string | undefined;
}

/** Signs with a version of a key, 0 is the latest. The private operation runs off the main thread. */
export async function sign(
  policy: KeyPolicy,
  input: Uint8Array,
  keyVersion: number,
  context: Uint8Array | undefined,
  options: SignatureOptions,
  random: Random,
  open: OpenManagedKey = noManagedKeys,
): Promise<Signed | Refused> {
  if (policy.softDeleted) return softDeleted;
  const chosen = versionFor(policy, keyVersion, 'signing');
  if (chosen instanceof Refused) return chosen;
  const { managed } = chosen.version;
  const key = managed === undefined ? signingKey(policy, chosen.version, context) : managed;
  if (key instanceof Refused) return key;
  const bytes = await ('use' in key
    ? signManaged(open, key, input, options)
    : signWith(traitsOf(policy.type), key, input, options, random));
  if (bytes instanceof Refused) return bytes;
  const encoded = options.marshaling === 'jws' ? view(bytes).toString('base64url') : toBase64(bytes);
  return {
    signature: formatVersioned(chosen.number, encoded),
    keyVersion: chosen.number,
    publicKey: policy.derived && !('use' in key) ? toBase64(rawPublicKey(createPublicKey(key))) : undefined,
  };
}

/** @returns whether the signature is of the input, by the version that it names */
export async function verify(
  policy: KeyPolicy,
  input: Uint8Array,
  signature: string,
  context: Uint8Array | undefined,
  options: SignatureOptions,
): Promise<boolean | Refused> {
  if (policy.softDeleted) return softDeleted;
  if (!signs(policy.type))
    return new Refused(`message verification not supported for key type ${policy.type}`);
  const parsed = parseVersioned(signature);
  if (typeof parsed === 'string') return new Refused(`invalid signature: ${parsed}`);
  if (parsed.version > policy.latestVersion) return new Refused('invalid signature: version is too new');
  if (parsed.version < policy.minDecryptionVersion) return tooOld;
  const bytes = options.marshaling === 'jws' ? decodeBase64Url(parsed.payload) : decodeBase64(parsed.payload);
  if (bytes === undefined || bytes instanceof Refused) return new Refused('invalid base64 signature value');
  const version = policy.versions.get(parsed.version);
  if (version === undefined) return noSuchVersion;
  const key = verificationKey(policy, version, context);
  return key instanceof Refused
    ? key
    : verifyWith(traitsOfVersion(policy.type, version), key, input, bytes, options);
}

function traitsOfVersion(type: KeyPolicy['type'], { managed, publicKey }: KeyVersion): KeyTraits {
  return managed !== undefined && publicKey !== undefined ? traitsOfManaged(publicKey) : traitsOf(type);
}

/** The 32 bytes of an Ed25519 public key. */
export function rawPublicKey(key: KeyObject): Uint8Array {
  return decodeBase64Url(key.export({ format: 'jwk' }).x ?? '') ?? new Uint8Array(0);
}

function signingKey(
  policy: KeyPolicy,
  version: KeyVersion,
  context: Uint8Array | undefined,
): KeyObject | Refused {
  if (policy.derived && version.secret !== undefined) return deriveEd25519(version.secret, context);
  return version.privateKey ?? new Refused('requested version for signing does not contain a private part');
}

function verificationKey(
  policy: KeyPolicy,
  version: KeyVersion,
  context: Uint8Array | undefined,
): KeyObject | Refused {
  if (policy.derived && version.secret !== undefined) {
    const key = deriveEd25519(version.secret, context);
    return key instanceof Refused ? key : createPublicKey(key);
  }
  return version.publicKey ?? noSuchVersion;
}

async function signWith(
  traits: KeyTraits,
  key: KeyObject,
  input: Uint8Array,
  options: SignatureOptions,
  random: Random,
): Promise<Uint8Array | Refused> {
  const { hash, prehashed, marshaling } = options;
  if (traits.family === 'ed25519') return signMessage(null, input, { key });
  if (traits.family === 'ecdsa') {
    if (hash === undefined || prehashed) {
      const { signDigest } = await import('./ecdsa-digest.ts');
      const pair = signDigest(traits.curve, key, input);
      return marshaling === 'jws' ? pair : ecdsaDer(pair);
    }
    return signMessage(hash.name, input, {
      key,
      dsaEncoding: marshaling === 'jws' ? 'ieee-p1363' : 'der',
    });
  }
  const wrong = wrongRsaInput(key, input, options);
  if (wrong !== undefined) return wrong;
  if (options.scheme === 'pkcs1v15') {
    return hash === undefined || prehashed
      ? signPkcs1(key, hash, input)
      : signMessage(hash.name, input, { key, padding: constants.RSA_PKCS1_PADDING });
  }
  if (hash === undefined) return new Refused('unsupported hash algorithm');
  const saltLength = saltBytes(options.salt, hash) ?? longestSalt(key, hash);
  return prehashed
    ? signPss(key, hash, input, saltLength, random)
    : signMessage(hash.name, input, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });
}

async function verifyWith(
  traits: KeyTraits,
  key: KeyObject,
  input: Uint8Array,
  signature: Uint8Array,
  options: SignatureOptions,
): Promise<boolean | Refused> {
  const { hash, prehashed, marshaling } = options;
  if (traits.family === 'ed25519') return verifyMessage(null, input, { key }, signature);
  if (traits.family === 'ecdsa') {
    const bytes = coordinateBytes[traits.curve];
    const pair = marshaling === 'jws' ? signature : fromDer(signature, bytes);
    if (pair === undefined) return new Refused('supplied signature is invalid');
    if (pair.length !== 2 * bytes) return false;
    if (hash !== undefined && !prehashed) {
      return verifyMessage(hash.name, input, { key, dsaEncoding: 'ieee-p1363' }, pair);
    }
    const { verifyDigest } = await import('./ecdsa-digest.ts');
    return verifyDigest(traits.curve, key, input, pair);
  }
  const wrong = wrongRsaInput(key, input, options);
  if (wrong !== undefined) return wrong;
  if (options.scheme === 'pkcs1v15') {
    return hash === undefined || prehashed
      ? verifyPkcs1(key, hash, input, signature)
      : verifyMessage(hash.name, input, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
  }
  if (hash === undefined) return new Refused('unsupported hash algorithm');
  const saltLength = saltBytes(options.salt, hash);
  return prehashed
    ? verifyPss(key, hash, input, signature, saltLength)
    : verifyMessage(
        hash.name,
        input,
        {
          key,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: saltLength ?? constants.RSA_PSS_SALTLEN_AUTO,
        },
        signature,
      );
}

function wrongRsaInput(
  key: KeyObject,
  input: Uint8Array,
  { hash, prehashed, scheme, salt }: SignatureOptions,
): Refused | undefined {
  if (prehashed && hash !== undefined && input.length !== hash.bytes)
    return new Refused('crypto/rsa: input must be hashed message');
  if (hash === undefined && input.length > modulusBits(key) / 8 - 11)
    return new Refused('crypto/rsa: message too long for RSA key size');
  if (scheme === 'pss' && hash !== undefined && typeof salt === 'number' && salt > longestSalt(key, hash))
    return new Refused(`requested salt length ${salt} is invalid`);
  return undefined;
}

function longestSalt(key: KeyObject, hash: HashFunction): number {
  return Math.ceil((modulusBits(key) - 1) / 8) - 2 - hash.bytes;
}

// Zero has always meant `auto`, and -1 `hash`.
function saltBytes(salt: SaltLength, hash: HashFunction): number | undefined {
  if (salt === 'auto' || salt === 0) return undefined;
  return salt === 'hash' || salt === -1 ? hash.bytes : salt;
}

type SigningKey = Exclude<Parameters<typeof nodeSign>[2], KeyObject | string | NodeJS.ArrayBufferView>;
type VerifyKey = Exclude<Parameters<typeof nodeVerify>[2], KeyObject | string | NodeJS.ArrayBufferView>;

function signMessage(hash: string | null, input: Uint8Array, key: SigningKey): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    nodeSign(hash, input, key, (error, signature) => {
      if (error === null) resolve(signature);
      else reject(error);
    });
  });
}

function verifyMessage(
  hash: string | null,
  input: Uint8Array,
  key: VerifyKey,
  signature: Uint8Array,
): Promise<boolean> {
  return new Promise((resolve) => {
    // A signature that OpenSSL cannot even parse is not valid, like any other wrong one.
    nodeVerify(hash, input, key, signature, (error, valid) => resolve(error === null && valid));
  });
}
