import { generateRsaKey } from '../../../../lib/rsa-key.ts';
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type JsonWebKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { promisify } from 'node:util';
import { text, utf8 } from '../../../../lib/bytes.ts';
import { isJsonObject, type JsonObject, parseJson } from '../../../../lib/json.ts';
import { fromBase64Url, toBase64Url } from './base64url.ts';

export const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export function isAlgorithm(name: string): name is Algorithm {
  return ALGORITHMS.some((each) => each === name);
}

/** A key pair as it is stored. */
export interface StoredPair {
  readonly kid: string;
  /** PKCS#8, PEM. */
  readonly privateKey: string;
  readonly publicKey: PublicJwk;
}

/** A public key, as relying parties get it. */
export interface PublicJwk {
  readonly use: 'sig';
  readonly kid: string;
  readonly alg: Algorithm;
  readonly kty: string;
  readonly n?: string;
  readonly e?: string;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
}

const generate = promisify(generateKeyPair);
const CURVES = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' } as const;

/** Makes a key pair for an algorithm. */
export async function generatePair(alg: Algorithm, kid: string): Promise<StoredPair> {
  const { privateKey, publicKey } = await generateFor(alg);
  const { kty = '', n, e, crv, x, y } = publicKey.export({ format: 'jwk' });
  const members = Object.entries({ n, e, crv, x, y }).filter(([, value]) => value !== undefined);
  return {
    kid,
    privateKey: String(privateKey.export({ format: 'pem', type: 'pkcs8' })),
    publicKey: { use: 'sig', kid, alg, kty, ...Object.fromEntries(members) },
  };
}

function generateFor(alg: Algorithm): Promise<{ privateKey: KeyObject; publicKey: KeyObject }> {
  if (alg === 'EdDSA') return generate('ed25519');
  if (alg === 'ES256' || alg === 'ES384' || alg === 'ES512')
    return generate('ec', { namedCurve: CURVES[alg] });
  return generateRsaKey(2048);
}

/**
 * A compact JWS (RFC 7515 §3.1) of claims.
 * @param typ what kind of token it is, where that must not be mistaken
 */
export function signClaims(pair: StoredPair, claims: JsonObject, typ?: string): string {
  const { alg, kid } = pair.publicKey;
  const head = toBase64Url(utf8(JSON.stringify({ alg, kid, ...(typ === undefined ? {} : { typ }) })));
  const signed = `${head}.${toBase64Url(utf8(JSON.stringify(claims)))}`;
  const key = { key: createPrivateKey(pair.privateKey), dsaEncoding: 'ieee-p1363' } as const;
  return `${signed}.${toBase64Url(sign(hashOf(alg), utf8(signed), key))}`;
}

/** Claims of a compact JWS, and which key it says it is signed with. */
export interface Jws {
  readonly claims: JsonObject;
  readonly typ: string;
  /** Whether a key has signed it. */
  readonly isSignedBy: (key: PublicJwk) => boolean;
}

/** @returns undefined for what is no JWS of a known algorithm */
export function parseJws(token: string): Jws | undefined {
  const parts = token.split('.');
  const [head = '', body = '', signature = ''] = parts;
  const header = parseObject(head);
  const claims = parseObject(body);
  const bytes = fromBase64Url(signature);
  const alg = header?.['alg'];
  if (parts.length !== 3 || claims === undefined || bytes === undefined) return undefined;
  if (typeof alg !== 'string' || !isAlgorithm(alg)) return undefined;
  const typ = header?.['typ'];
  return {
    claims,
    typ: typeof typ === 'string' ? typ : '',
    isSignedBy: (jwk) => {
      if (jwk.alg !== alg || jwk.kid !== header?.['kid']) return false;
      const { use: _use, kid: _kid, alg: _alg, ...rest } = jwk;
      const members: JsonWebKey = rest;
      const key = createPublicKey({ key: members, format: 'jwk' });
      return verify(hashOf(alg), utf8(`${head}.${body}`), { key, dsaEncoding: 'ieee-p1363' }, bytes);
    },
  };
}

/** The claim that binds a token to a text (OpenID Connect Core §3.1.3.6): half of its hash. */
export function hashClaim(alg: Algorithm, value: string): string {
  const digest = createHash(hashOf(alg) ?? 'sha512')
    .update(value)
    .digest();
  return toBase64Url(digest.subarray(0, digest.length / 2));
}

function hashOf(alg: Algorithm): string | null {
  return alg === 'EdDSA' ? null : `sha${alg.slice(2)}`;
}

function parseObject(part: string): JsonObject | undefined {
  const bytes = fromBase64Url(part);
  if (bytes === undefined) return undefined;
  try {
    const parsed = parseJson(text(bytes));
    return isJsonObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}
