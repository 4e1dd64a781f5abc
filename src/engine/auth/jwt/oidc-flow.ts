import { createHash, timingSafeEqual } from 'node:crypto';
import { toBase64, utf8 } from '../../../lib/bytes.ts';
import { HttpFailure, jsonOf } from '../../../lib/http-call.ts';
import type { JsonObject } from '../../../lib/json.ts';
import { audiencesOf, checkClaims } from '../../../lib/jwt/claims.ts';
import { algorithmOf, JwtRefusal } from '../../../lib/jwt/verify.ts';
import { type Issuer, IssuerFailure } from './issuer.ts';
import type { OidcRequest } from './oidc-requests.ts';
import type { JwtConfig, JwtRole } from './store.ts';

/** What a provider gives for a code; all of them are secrets. */
export interface ProviderTokens {
  readonly idToken: string;
  readonly accessToken: string;
  readonly refreshToken: string;
}

export interface Flow {
  readonly config: JwtConfig;
  readonly issuer: Issuer;
  readonly role: JwtRole;
  /** Seconds since the epoch. */
  readonly now: number;
}

/** Trades a code for tokens (RFC 6749 §4.1.3, RFC 7636). */
export async function exchangeCode(
  { config, issuer }: Flow,
  request: OidcRequest,
  code: string,
): Promise<ProviderTokens | IssuerFailure> {
  const url = await issuer.endpoint('token_endpoint');
  if (url instanceof IssuerFailure) return url;
  const form = new URLSearchParams({
    grant_type: 'authorization_code',
    code,
    redirect_uri: request.redirectUri,
    code_verifier: request.codeVerifier,
  });
  const document = await issuer.discover();
  const methods =
    document instanceof IssuerFailure ? undefined : document['token_endpoint_auth_methods_supported'];
  const headers: Record<string, string> = {};
  if (Array.isArray(methods) && !methods.includes('client_secret_basic')) {
    form.set('client_id', config.clientId);
    form.set('client_secret', config.clientSecret);
  } else {
    const pair = `${encodeURIComponent(config.clientId)}:${encodeURIComponent(config.clientSecret)}`;
    headers['Authorization'] = `Basic ${toBase64(utf8(pair))}`;
  }
  const answer = await issuer.call(url, form, headers);
  if (answer instanceof HttpFailure) return new IssuerFailure(answer.message);
  const body = jsonOf(answer);
  if (answer.status !== 200 || body === undefined) {
    const error = body?.['error'];
    return new IssuerFailure(typeof error === 'string' ? error : `the provider answered ${answer.status}`);
  }
  return tokensOf(body) ?? new IssuerFailure('id_token is missing from the answer');
}

export function tokensOf(body: JsonObject): ProviderTokens | undefined {
  const text = (name: string): string => {
    const value = body[name];
    return typeof value === 'string' ? value : '';
  };
  const idToken = text('id_token');
  return idToken === ''
    ? undefined
    : { idToken, accessToken: text('access_token'), refreshToken: text('refresh_token') };
}

/** Verifies an ID token as OpenID Connect Core 1.0 §3.1.3.7 asks. @param request undefined where there is no nonce */
export async function verifyIdToken(
  { config, issuer, role, now }: Flow,
  { idToken, accessToken }: ProviderTokens,
  request: OidcRequest | undefined,
): Promise<JsonObject | JwtRefusal> {
  const issuedBy = await issuer.endpoint('issuer');
  if (issuedBy instanceof IssuerFailure) return new JwtRefusal(issuedBy.message);
  const algorithms = config.algorithms.length === 0 ? ['RS256'] : config.algorithms;
  const claims = await issuer.verify(idToken, algorithms);
  if (claims instanceof JwtRefusal) return claims;
  if (claims['exp'] === undefined) return new JwtRefusal('the ID token does not expire');
  const wrong = checkClaims(claims, { issuer: issuedBy, timesOptional: true }, now);
  if (wrong !== undefined) return wrong;
  const audiences = audiencesOf(claims);
  const accepted = [config.clientId, ...(role.boundAudiences ?? [])];
  if (!audiences.some((each) => accepted.includes(each))) return new JwtRefusal('invalid id_token audiences');
  if (role.boundAudiences !== null && role.boundAudiences.length > 0) {
    if (!role.boundAudiences.some((each) => audiences.includes(each)))
      return new JwtRefusal('invalid id_token audiences');
  }
  const { azp } = claims;
  if ((audiences.length > 1 || azp !== undefined) && azp !== config.clientId)
    return new JwtRefusal('invalid id_token authorized party');
  if (request !== undefined && claims['nonce'] !== request.nonce)
    return new JwtRefusal('invalid ID token nonce.');
  if (role.maxAge > 0) {
    const at = claims['auth_time'];
    if (typeof at !== 'number' || at + role.maxAge + 60 < now)
      return new JwtRefusal('the user was authenticated too long ago');
  }
  return isHashOf(claims['at_hash'], accessToken, idToken)
    ? claims
    : new JwtRefusal('the access token is of another ID token');
}

/** Claims of the userinfo endpoint; none when there is no such endpoint or it speaks of somebody else. */
export async function userInfo(issuer: Issuer, accessToken: string, subject: unknown): Promise<JsonObject> {
  const url = await issuer.endpoint('userinfo_endpoint');
  if (url instanceof IssuerFailure || accessToken === '') return {};
  const answer = await issuer.call(url, undefined, { Authorization: `Bearer ${accessToken}` });
  const body = answer instanceof HttpFailure || answer.status !== 200 ? undefined : jsonOf(answer);
  return body !== undefined && body['sub'] === subject ? body : {};
}

// OpenID Connect Core 1.0 §3.1.3.6: the left half of the hash that the ID token's algorithm names.
function isHashOf(hash: unknown, accessToken: string, idToken: string): boolean {
  if (hash === undefined || accessToken === '') return true;
  const alg = algorithmOf(idToken);
  if (typeof hash !== 'string' || alg === undefined) return false;
  const digest = createHash(alg === 'EdDSA' ? 'sha512' : `sha${alg.slice(2)}`)
    .update(accessToken)
    .digest();
  const half = utf8(digest.subarray(0, digest.length / 2).toString('base64url'));
  const given = utf8(hash);
  return half.length === given.length && timingSafeEqual(half, given);
}
