import { DEFAULT_HASH, hashFunction } from './hash.ts';
import { Refused } from './refused.ts';
import type { SaltLength, SignatureOptions } from './signature.ts';

/** Fields that sign/ and verify/ share. */
export const signatureFields = {
  input: { type: 'string', description: 'The base64-encoded input data', default: '' },
  hash_algorithm: {
    type: 'string',
    description:
      'Hash algorithm to use (POST body parameter): sha1, sha2-224, sha2-256, sha2-384, sha2-512, sha3-224, sha3-256, sha3-384, sha3-512 or none. Defaults to "sha2-256". Not valid for all key types.',
    default: '',
  },
  algorithm: {
    type: 'string',
    description: 'Deprecated: use "hash_algorithm" instead.',
    default: '',
    deprecated: true,
  },
  urlalgorithm: { type: 'string', description: 'Hash algorithm to use (POST URL parameter)', default: '' },
  prehashed: {
    type: 'bool',
    description: "Set to 'true' when the input is already hashed.",
    default: false,
  },
  signature_algorithm: {
    type: 'string',
    description: "The signature algorithm of RSA keys: 'pss' or 'pkcs1v15'. Defaults to 'pss'",
    default: '',
  },
  marshaling_algorithm: {
    type: 'string',
    description:
      "How the signature is written: 'asn1', or 'jws' with url-safe base64. Of ECDSA keys it also decides the form of the signature.",
    default: 'asn1',
  },
  salt_length: {
    type: 'string',
    description: "The salt length of RSA PSS: 'auto', 'hash', or a number of bytes. Defaults to 'auto'.",
    default: 'auto',
  },
} as const;

interface Given {
  readonly hash_algorithm: string;
  readonly algorithm: string;
  readonly urlalgorithm: string;
  readonly prehashed: boolean;
  readonly signature_algorithm: string;
  readonly marshaling_algorithm: string;
  readonly salt_length: string;
}

/** @returns how to sign or verify, or why the request is refused */
export function readSignatureOptions(given: Given): SignatureOptions | Refused {
  const name = given.urlalgorithm || given.hash_algorithm || given.algorithm || DEFAULT_HASH;
  const hash = hashFunction(name);
  if (hash === undefined && name !== 'none')
    return new Refused(`invalid hash algorithm ${JSON.stringify(name)}`);
  const marshaling = given.marshaling_algorithm;
  if (marshaling !== 'asn1' && marshaling !== 'jws')
    return new Refused(`invalid marshaling type ${JSON.stringify(marshaling)}`);
  const salt = readSalt(given.salt_length);
  if (salt instanceof Refused) return salt;
  const scheme = given.signature_algorithm || 'pss';
  if (scheme !== 'pss' && scheme !== 'pkcs1v15')
    return new Refused(`unsupported rsa signature algorithm ${scheme}`);
  if (hash === undefined && !(given.prehashed && given.signature_algorithm === 'pkcs1v15'))
    return new Refused('hash_algorithm=none requires both prehashed=true and signature_algorithm=pkcs1v15');
  return { hash, prehashed: given.prehashed, scheme, marshaling, salt };
}

function readSalt(text: string): SaltLength | Refused {
  const lower = text.toLowerCase();
  if (lower === 'auto' || lower === 'hash') return lower;
  if (!/^[+-]?\d{1,9}$/.test(lower))
    return new Refused(`salt length neither 'auto', 'hash', nor an int: ${text}`);
  const bytes = Number(lower);
  return bytes < -1 ? new Refused(`salt length is invalid: ${bytes}`) : bytes;
}
