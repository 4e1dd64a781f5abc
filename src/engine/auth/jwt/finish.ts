import { JwtRefusal } from '../../../lib/jwt/verify.ts';
import type { Response } from '../../logical/response.ts';
import { loginOf } from './identity.ts';
import { type Flow, type ProviderTokens, userInfo, verifyIdToken } from './oidc-flow.ts';
import type { OidcRequest } from './oidc-requests.ts';

/** Makes the login of what the provider gave: claims of the ID token and of the userinfo endpoint. @returns why none */
export async function finishLogin(
  flow: Flow,
  roleName: string,
  tokens: ProviderTokens,
  request: OidcRequest | undefined,
  remoteAddress: string,
): Promise<Extract<Response, { kind: 'login' }> | { readonly failed: string }> {
  const { config, issuer, role } = flow;
  const verified = await verifyIdToken(flow, tokens, request);
  if (verified instanceof JwtRefusal) return { failed: `Token verification failed. ${verified.message}` };
  const { nonce: _nonce, ...claims } = verified;
  if (role.boundSubject !== '' && claims['sub'] !== role.boundSubject)
    return { failed: 'sub claim does not match bound subject' };
  const more = await userInfo(issuer, tokens.accessToken, claims['sub']);
  const metadata: Record<string, string> = {};
  const texts: Readonly<Record<string, string>> = {
    access_token: tokens.accessToken,
    id_token: tokens.idToken,
    refresh_token: tokens.refreshToken,
  };
  for (const name of role.oauth2Metadata ?? []) metadata[`oauth2_${name}`] = texts[name] ?? '';
  return loginOf({ config, role, roleName, claims: { ...claims, ...more }, remoteAddress, metadata });
}
