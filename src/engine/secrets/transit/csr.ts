import 'reflect-metadata';
import type { KeyObject } from 'node:crypto';
import type { webcrypto } from 'node:crypto';
import { Pkcs10CertificateRequest, Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { type KeyTraits, traitsOf } from './key-type.ts';
import type { KeyVersion } from './key-version.ts';
import type { KeyPolicy } from './policy.ts';
import { Refused } from './refused.ts';

/**
 * A certificate signing request (RFC 2986) of a version of a key, with the subject and the extensions of a template;
 * without a template both are empty.
 */
export async function makeCsr(
  policy: KeyPolicy,
  version: KeyVersion,
  template: string,
): Promise<string | Refused> {
  const { privateKey, publicKey } = version;
  if (privateKey === undefined || publicKey === undefined)
    return new Refused('private key not imported for key version selected');
  const given = template === '' ? undefined : readTemplate(template);
  if (given instanceof Refused) return given;
  const algorithm = algorithmOf(traitsOf(policy.type));
  const csr = await Pkcs10CertificateRequestGenerator.create({
    ...(given === undefined ? {} : { name: given.subjectName, extensions: given.extensions }),
    keys: {
      privateKey: cryptoKey(privateKey, algorithm, 'sign'),
      publicKey: cryptoKey(publicKey, algorithm, 'verify'),
    },
    signingAlgorithm: algorithm,
  });
  return `${csr.toString('pem').trim()}\n`;
}

const MAX_CSR = 262_144;

function readTemplate(pem: string): Pkcs10CertificateRequest | Refused {
  if (pem.length > MAX_CSR) return new Refused(`csr is longer than ${MAX_CSR} characters`);
  let request: Pkcs10CertificateRequest;
  try {
    request = new Pkcs10CertificateRequest(pem);
  } catch {
    return new Refused('could not decode PEM CSR');
  }
  // Its signature is replaced; who still signs so would take the next one without a look as well.
  return isSound(request)
    ? request
    : new Refused('the CSR template is signed with an insecure algorithm: use SHA-256 or better');
}

function isSound(request: Pkcs10CertificateRequest): boolean {
  const { name, hash } = request.signatureAlgorithm as unknown as SigningName;
  return /^(?:Ed25519|EdDSA)$/i.test(name) || ['SHA-256', 'SHA-384', 'SHA-512'].includes(hash?.name ?? '');
}

interface SigningName {
  readonly name: string;
  readonly hash?: { readonly name: string };
}

type SigningAlgorithm = { readonly name: string; readonly hash?: string; readonly namedCurve?: string };

function algorithmOf(traits: KeyTraits): SigningAlgorithm {
  if (traits.family === 'ed25519') return { name: 'Ed25519' };
  if (traits.family !== 'ecdsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const hash = { 'P-256': 'SHA-256', 'P-384': 'SHA-384', 'P-521': 'SHA-512' }[traits.curve];
  return { name: 'ECDSA', namedCurve: traits.curve, hash };
}

function cryptoKey(
  key: KeyObject,
  algorithm: SigningAlgorithm,
  usage: 'sign' | 'verify',
): webcrypto.CryptoKey {
  // A private key stays native there, too; a public one is written into the request.
  return key.toCryptoKey(algorithm, usage === 'verify', [usage]);
}
