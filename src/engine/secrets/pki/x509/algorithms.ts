import { constants, createHash, type KeyObject, sign, verify } from 'node:crypto';
import { AsnProp, AsnPropTypes, AsnType, AsnTypeTypes } from '@peculiar/asn1-schema';
import { AlgorithmIdentifier } from '@peculiar/asn1-x509';
import { decode, encode, toBuffer } from './der.ts';
import { isManagedHash } from '../../../logical/managed-key.ts';
import { shapeOf } from './keys.ts';
import { isManaged, knownPart, type SigningKey } from './signing-key.ts';

/** The names of signature algorithms in the API, as Go writes them; '' is the key's own. */
export type SignatureAlgorithm =
  | 'SHA256WithRSA'
  | 'SHA384WithRSA'
  | 'SHA512WithRSA'
  | 'SHA256WithRSAPSS'
  | 'SHA384WithRSAPSS'
  | 'SHA512WithRSAPSS'
  | 'ECDSAWithSHA256'
  | 'ECDSAWithSHA384'
  | 'ECDSAWithSHA512'
  | 'Ed25519';

interface Scheme {
  readonly oid: string;
  readonly hash: string | undefined;
  readonly family: 'rsa' | 'pss' | 'ec' | 'ed25519';
}

const SCHEMES: Readonly<Record<SignatureAlgorithm, Scheme>> = {
  SHA256WithRSA: { oid: '1.2.840.113549.1.1.11', hash: 'sha256', family: 'rsa' },
  SHA384WithRSA: { oid: '1.2.840.113549.1.1.12', hash: 'sha384', family: 'rsa' },
  SHA512WithRSA: { oid: '1.2.840.113549.1.1.13', hash: 'sha512', family: 'rsa' },
  SHA256WithRSAPSS: { oid: '1.2.840.113549.1.1.10', hash: 'sha256', family: 'pss' },
  SHA384WithRSAPSS: { oid: '1.2.840.113549.1.1.10', hash: 'sha384', family: 'pss' },
  SHA512WithRSAPSS: { oid: '1.2.840.113549.1.1.10', hash: 'sha512', family: 'pss' },
  ECDSAWithSHA256: { oid: '1.2.840.10045.4.3.2', hash: 'sha256', family: 'ec' },
  ECDSAWithSHA384: { oid: '1.2.840.10045.4.3.3', hash: 'sha384', family: 'ec' },
  ECDSAWithSHA512: { oid: '1.2.840.10045.4.3.4', hash: 'sha512', family: 'ec' },
  Ed25519: { oid: '1.3.101.112', hash: undefined, family: 'ed25519' },
};
const MANAGED_SCHEMES = { rsa: 'pkcs1', pss: 'pss', ec: 'ecdsa', ed25519: 'ecdsa' } as const;
const NAMES = Object.keys(SCHEMES) as SignatureAlgorithm[];
const HASHES: Readonly<Record<string, readonly [oid: string, length: number]>> = {
  sha256: ['2.16.840.1.101.3.4.2.1', 32],
  sha384: ['2.16.840.1.101.3.4.2.2', 48],
  sha512: ['2.16.840.1.101.3.4.2.3', 64],
};

/** RSASSA-PSS-params (RFC 4055 §3.1). */
class PssParameters {
  hashAlgorithm: AlgorithmIdentifier = new AlgorithmIdentifier();
  maskGenAlgorithm: AlgorithmIdentifier = new AlgorithmIdentifier();
  saltLength = 20;
}
AsnType({ type: AsnTypeTypes.Sequence })(PssParameters);
AsnProp({ type: AlgorithmIdentifier, context: 0 })(PssParameters.prototype, 'hashAlgorithm');
AsnProp({ type: AlgorithmIdentifier, context: 1 })(PssParameters.prototype, 'maskGenAlgorithm');
AsnProp({ type: AsnPropTypes.Integer, context: 2 })(PssParameters.prototype, 'saltLength');

/** The algorithm of a name in any case; the spellings of Vault's API are known. */
export function signatureAlgorithm(name: string): SignatureAlgorithm | undefined {
  const plain = name.toLowerCase().replaceAll('-', '');
  if (plain === 'pureed25519') return 'Ed25519';
  return NAMES.find((known) => {
    const { hash, family } = SCHEMES[known];
    const other = family === 'ed25519' ? 'ed25519' : `${hash}${family === 'ec' ? 'ecdsa' : family}`;
    return plain === known.toLowerCase() || plain === other || plain === other.replace('pss', 'rsapss');
  });
}

export const signatureAlgorithmNames: readonly string[] = NAMES;

/** @returns whether a key can sign so */
export function canSign(key: SigningKey, algorithm: SignatureAlgorithm): boolean {
  const { family } = SCHEMES[algorithm];
  return shapeOf(knownPart(key))?.keyType === (family === 'pss' ? 'rsa' : family);
}

/** What a key signs with: RSA by choice or by the mechanism of a managed key, the hash of its curve for ECDSA. @param bits 0 for SHA-256 */
export function algorithmFor(key: SigningKey, bits = 0, pss = false): SignatureAlgorithm {
  const shape = shapeOf(knownPart(key));
  if (shape?.keyType === 'ed25519') return 'Ed25519';
  if (shape?.keyType === 'ec') {
    if (shape.keyBits === 384) return 'ECDSAWithSHA384';
    return shape.keyBits === 521 ? 'ECDSAWithSHA512' : 'ECDSAWithSHA256';
  }
  const hash = bits === 384 ? 'SHA384' : bits === 512 ? 'SHA512' : 'SHA256';
  const mayOnlyPss = isManaged(key) && key.use === 'pss';
  return pss || mayOnlyPss ? `${hash}WithRSAPSS` : `${hash}WithRSA`;
}

/** The same without PSS, which not every client of OCSP knows. */
export function withoutPss(algorithm: SignatureAlgorithm): SignatureAlgorithm {
  const plain = algorithm.endsWith('PSS') ? algorithm.slice(0, -3) : algorithm;
  return signatureAlgorithm(plain) ?? algorithm;
}

export function identifierOf(algorithm: SignatureAlgorithm): AlgorithmIdentifier {
  const { oid, hash, family } = SCHEMES[algorithm];
  if (family === 'rsa') return new AlgorithmIdentifier({ algorithm: oid, parameters: null });
  if (family !== 'pss') return new AlgorithmIdentifier({ algorithm: oid });
  const [hashOid, length] = HASHES[hash ?? ''] ?? ['', 0];
  const parameters = new PssParameters();
  parameters.hashAlgorithm = new AlgorithmIdentifier({ algorithm: hashOid, parameters: null });
  parameters.maskGenAlgorithm = new AlgorithmIdentifier({
    algorithm: '1.2.840.113549.1.1.8',
    parameters: toBuffer(encode(parameters.hashAlgorithm)),
  });
  parameters.saltLength = length;
  return new AlgorithmIdentifier({ algorithm: oid, parameters: toBuffer(encode(parameters)) });
}

/** @returns undefined for algorithms that are not known, or not safe */
export function algorithmOf(identifier: AlgorithmIdentifier): SignatureAlgorithm | undefined {
  const found = NAMES.find((name) => SCHEMES[name].oid === identifier.algorithm);
  if (found === undefined || SCHEMES[found].family !== 'pss') return found;
  const { parameters } = identifier;
  const pss =
    parameters === undefined || parameters === null
      ? undefined
      : decode(new Uint8Array(parameters), PssParameters);
  return NAMES.find((name) => {
    const { hash, family } = SCHEMES[name];
    return family === 'pss' && HASHES[hash ?? '']?.[0] === pss?.hashAlgorithm.algorithm;
  });
}

/** @throws ERR_HSM_* for a managed key */
export async function signBytes(
  bytes: Uint8Array,
  key: SigningKey,
  algorithm: SignatureAlgorithm,
): Promise<Uint8Array> {
  const { hash, family } = SCHEMES[algorithm];
  if (isManaged(key)) {
    if (hash === undefined || !isManagedHash(hash)) throw new TypeError('a managed key cannot sign so');
    const digest = createHash(hash).update(bytes).digest();
    return key.sign(digest, { scheme: MANAGED_SCHEMES[family], hash });
  }
  return new Uint8Array(sign(SCHEMES[algorithm].hash, bytes, keyInput(key, algorithm)));
}

/** @returns whether a signature is good; false for algorithms that are not known */
export function verifyBytes(
  bytes: Uint8Array,
  signature: Uint8Array,
  key: KeyObject,
  identifier: AlgorithmIdentifier,
): boolean {
  const algorithm = algorithmOf(identifier);
  if (algorithm === undefined || !canSign(key, algorithm)) return false;
  return verify(
    SCHEMES[algorithm].hash,
    bytes,
    keyInput(key, algorithm, constants.RSA_PSS_SALTLEN_AUTO),
    signature,
  );
}

function keyInput(
  key: KeyObject,
  algorithm: SignatureAlgorithm,
  saltLength: number = constants.RSA_PSS_SALTLEN_DIGEST,
): { key: KeyObject; padding?: number; saltLength?: number } {
  if (SCHEMES[algorithm].family !== 'pss') return { key };
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
}
