import { type Path, path } from '../../../../logical/logical.ts';
import type { LogicalRequest } from '../../../../logical/request.ts';
import { permissionDenied, type Response } from '../../../../logical/response.ts';
import type { Oidc } from '../context.ts';
import { parseJws } from '../signing.ts';
import { addScopes, allows, findClient, findProvider, isAssigned, providerIssuer } from './lookup.ts';
import { ACCESS_TOKEN } from './path-exchange.ts';

/** oidc/provider/:name/userinfo: claims for the bearer of an access token (OpenID Connect Core §5.3). */
export function userinfoPaths(oidc: Oidc): Path[] {
  const handler = (request: LogicalRequest, { name }: { readonly name: string }): Promise<Response> =>
    userinfo(oidc, request, name);
  return [
    path({
      pattern: 'oidc/provider/:name/userinfo',
      record: false,
      synopsis: 'Provides the OIDC UserInfo Endpoint.',
      description: 'The access token is checked here: it is no token of this engine.',
      access: 'unauthenticated',
      fields: { name: { type: 'string', description: 'Name of the provider', required: true } },
      operations: {
        read: { summary: 'Read the claims of the bearer.', handler },
        update: { summary: 'Read the claims of the bearer.', handler },
      },
    }),
  ];
}

async function userinfo(oidc: Oidc, request: LogicalRequest, name: string): Promise<Response> {
  if (request.tokenText === undefined || request.tokenText === '') return permissionDenied;
  const provider = await findProvider(oidc, name);
  if (provider === undefined) return fault(400, 'invalid_request', 'provider not found');
  const jws = parseJws(request.tokenText);
  const issuer = providerIssuer(oidc, name, provider);
  const clientId = jws?.claims['client_id'];
  const client = typeof clientId === 'string' ? await findClient(oidc, clientId) : undefined;
  if (jws?.typ !== ACCESS_TOKEN || jws.claims['aud'] !== `${issuer}/userinfo` || client === undefined)
    return fault(401, 'invalid_token', 'access token is malformed or invalid');
  const keys = await oidc.keys.publicKeys([client.key]);
  const { exp, sub, scope } = jws.claims;
  if (!keys.some((key) => jws.isSignedBy(key)) || typeof exp !== 'number' || typeof sub !== 'string')
    return fault(401, 'invalid_token', 'access token is malformed or invalid');
  if (exp <= oidc.keys.now()) return fault(401, 'invalid_token', 'access token is expired');
  const subject = await isAssigned(oidc, sub, client);
  if (subject === undefined)
    return fault(403, 'access_denied', 'identity entity not authorized by client assignment');
  if (!allows(provider, client.clientId))
    return fault(403, 'access_denied', 'client is not authorized to use the provider');
  const scopes = (typeof scope === 'string' ? scope : '')
    .split(' ')
    .filter((each) => provider.scopesSupported.includes(each));
  const claims = await addScopes(oidc, { sub: subject.entity.id }, scopes, subject);
  if (typeof claims === 'string') return fault(400, 'invalid_request', claims);
  return { kind: 'raw', status: 200, body: claims };
}

function fault(status: number, error: string, description: string): Response {
  return { kind: 'raw', status, body: { error, error_description: description } };
}
