import type { JsonObject } from '../../../lib/json.ts';
import { checkClaims, type ExpectedClaims } from '../../../lib/jwt/claims.ts';
import { ALGORITHMS, JwtRefusal } from '../../../lib/jwt/verify.ts';
import type { JwtContext } from './jwt.ts';
import type { JwtConfig } from './store.ts';

/**
 * The claims of a token that one of the configured keys signed.
 * @param expected what a role wants, beside the configuration's issuer
 * @returns why the token is refused
 */
export async function verifiedClaims(
  { issuers, clock }: Pick<JwtContext, 'issuers' | 'clock'>,
  config: JwtConfig,
  token: string,
  expected: Omit<ExpectedClaims, 'issuer'>,
): Promise<JsonObject | JwtRefusal> {
  const algorithms = config.algorithms.length === 0 ? ALGORITHMS : config.algorithms;
  const claims = await issuers.get(config).verify(token, algorithms);
  if (claims instanceof JwtRefusal) return claims;
  return checkClaims(claims, { issuer: config.boundIssuer, ...expected }, clock.now() / 1000) ?? claims;
}
