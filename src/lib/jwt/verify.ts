import type { KeyObject } from 'node:crypto';
import { compactVerify, decodeProtectedHeader, importJWK, type JWK } from 'jose';
import { text } from '../bytes.ts';
import { scanJson, SMALL_JSON } from '../json-limits.ts';
import { isJsonObject, type JsonObject, parseJson } from '../json.ts';

/** Algorithms of public keys (RFC 7518, RFC 8037); never `none`, never a shared secret. */
export const ALGORITHMS: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
  'EdDSA',
];

/** A token that is not what it claims to be. */
export class JwtRefusal {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** The claims of a token whose signature one of the keys made. @param algorithms that are accepted */
export async function verifyJwt(
  token: string,
  keys: readonly KeyObject[] | { readonly jwks: readonly JWK[] },
  algorithms: readonly string[],
): Promise<JsonObject | JwtRefusal> {
  const header = headerOf(token);
  if (header === undefined) return malformed;
  if (!algorithms.includes(header.alg)) {
    return new JwtRefusal(
      `error verifying token signature: unexpected signature algorithm ${JSON.stringify(header.alg)}; expected ${JSON.stringify(algorithms)}`,
    );
  }
  for (const key of 'jwks' in keys ? await imported(keys.jwks, header) : keys) {
    try {
      const { payload } = await compactVerify(token, key, { algorithms: [header.alg] });
      return claimsOf(payload);
    } catch {
      // The next key may be the one.
    }
  }
  return new JwtRefusal(
    'jwks' in keys
      ? 'error verifying token signature: failed to verify id token signature'
      : 'error verifying token signature: no known key successfully validated the token signature',
  );
}

/** The claims of a token that somebody else will verify. */
export function unverifiedClaims(
  token: string,
  algorithms: readonly string[] = ALGORITHMS,
): JsonObject | JwtRefusal {
  const header = headerOf(token);
  if (header === undefined || !algorithms.includes(header.alg)) return malformed;
  return claimsOf(new Uint8Array(Buffer.from(token.split('.')[1] ?? '', 'base64url')));
}

/** The algorithm that a token names; undefined for what is no token. */
export function algorithmOf(token: string): string | undefined {
  return headerOf(token)?.alg;
}

const MAX_HEADER = 16_384;
const malformed = new JwtRefusal('error verifying token signature: compact JWS format must have three parts');

function headerOf(token: string): { readonly alg: string; readonly kid: string | undefined } | undefined {
  const parts = token.split('.', 4);
  // A header names an algorithm, a key and a type.
  if (parts.length !== 3 || (parts[0] ?? '').length > MAX_HEADER) return undefined;
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    return alg === undefined ? undefined : { alg, kid };
  } catch {
    return undefined;
  }
}

function claimsOf(payload: Uint8Array): JsonObject | JwtRefusal {
  if (scanJson(payload, SMALL_JSON).refused !== undefined)
    return new JwtRefusal('the claims of the token are too many');
  try {
    const claims = parseJson(text(payload));
    return isJsonObject(claims) ? claims : new JwtRefusal('the claims of the token are not an object');
  } catch {
    return new JwtRefusal('the claims of the token are not JSON');
  }
}

async function imported(
  jwks: readonly JWK[],
  { alg, kid }: { readonly alg: string; readonly kid: string | undefined },
): Promise<Exclude<Awaited<ReturnType<typeof importJWK>>, Uint8Array>[]> {
  const found: Exclude<Awaited<ReturnType<typeof importJWK>>, Uint8Array>[] = [];
  for (const jwk of jwks) {
    if (kid !== undefined && jwk.kid !== undefined && jwk.kid !== kid) continue;
    if (jwk.kty === 'oct' || (jwk.use !== undefined && jwk.use !== 'sig')) continue;
    try {
      const key = await importJWK(jwk, alg);
      if (!(key instanceof Uint8Array)) found.push(key);
    } catch {
      // Of another kind than the algorithm's.
    }
  }
  return found;
}
