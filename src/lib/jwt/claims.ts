import type { JsonObject } from '../json.ts';
import { JwtRefusal } from './verify.ts';

/** What the registered claims (RFC 7519 §4.1) of a token have to be; empty text and lists are not asked for. */
export interface ExpectedClaims {
  readonly issuer?: string;
  readonly subject?: string;
  /** One of them must be in `aud`. */
  readonly audiences?: readonly string[];
  /** Seconds; 0 is the default of 150, less is none. */
  readonly expirationLeeway?: number;
  readonly notBeforeLeeway?: number;
  /** Seconds; 0 is the default of 60, less is none. */
  readonly clockSkewLeeway?: number;
  /** Accept a token without any time, and derive none. */
  readonly timesOptional?: boolean;
}

const LEEWAY = 150;
const CLOCK_SKEW = 60;

/**
 * Checks the registered claims as Vault's JWT methods document it: a missing expiration or start is derived from the
 * other times.
 * @param now seconds since the epoch
 */
export function checkClaims(
  claims: JsonObject,
  expected: ExpectedClaims,
  now: number,
): JwtRefusal | undefined {
  const iat = time(claims['iat']);
  let exp = time(claims['exp']);
  let nbf = time(claims['nbf']);
  if (Number.isNaN(iat) || Number.isNaN(exp) || Number.isNaN(nbf))
    return new JwtRefusal('a time in the claims is not a number');
  if (expected.timesOptional !== true) {
    if (iat === 0 && exp === 0 && nbf === 0) {
      return new JwtRefusal('no issued at (iat), not before (nbf), or expiration time (exp) claims in token');
    }
    if (exp === 0) exp = Math.max(iat, nbf) + leeway(expected.expirationLeeway, LEEWAY);
    if (nbf === 0) nbf = iat === 0 ? exp - leeway(expected.notBeforeLeeway, LEEWAY) : iat;
  }
  if (expected.issuer && claims['iss'] !== expected.issuer)
    return new JwtRefusal('invalid issuer (iss) claim');
  if (expected.subject && claims['sub'] !== expected.subject)
    return new JwtRefusal('invalid subject (sub) claim');
  if (!hasAudienceType(claims['aud']))
    return new JwtRefusal('invalid audience (aud) claim: it must be text or a list of texts');
  const audiences = audiencesOf(claims);
  const wanted = expected.audiences ?? [];
  if (wanted.length > 0 && !wanted.some((each) => audiences.includes(each))) {
    return new JwtRefusal(
      'invalid audience (aud) claim: audience claim does not match any expected audience',
    );
  }
  const skew = leeway(expected.clockSkewLeeway, CLOCK_SKEW);
  if (nbf > now + skew) return new JwtRefusal('invalid not before (nbf) claim: token not yet valid');
  if (exp !== 0 && exp < now - skew)
    return new JwtRefusal('invalid expiration time (exp) claim: token is expired');
  if (iat > now + skew) return new JwtRefusal('invalid issued at (iat) claim: token issued in the future');
  return undefined;
}

// What is no audience must not pass for a token without one.
function hasAudienceType(aud: unknown): boolean {
  if (aud === undefined || aud === null || typeof aud === 'string') return true;
  return Array.isArray(aud) && aud.every((each) => typeof each === 'string');
}

/** `aud`, which may be one text or a list. */
export function audiencesOf(claims: JsonObject): string[] {
  const { aud } = claims;
  return (Array.isArray(aud) ? aud : [aud]).filter((each) => typeof each === 'string');
}

function leeway(given: number | undefined, otherwise: number): number {
  return given === undefined || given === 0 ? otherwise : Math.max(given, 0);
}

// NumericDate may have a fraction; NaN for what is no number.
function time(value: unknown): number {
  if (value === undefined || value === null) return 0;
  return typeof value === 'number' && Number.isFinite(value) ? value : Number.NaN;
}
