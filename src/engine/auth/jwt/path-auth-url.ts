import { createHash } from 'node:crypto';
import { member } from '../../../lib/json.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, type Response } from '../../logical/response.ts';
import { startDeviceFlow } from './device-flow.ts';
import { type Issuer, IssuerFailure } from './issuer.ts';
import type { JwtContext } from './jwt.ts';
import type { OidcRequest } from './oidc-requests.ts';
import { isAllowedRedirect, splitNamespace } from './redirect.ts';
import { hasResponseType, isOidcFlow, type JwtConfig, type JwtRole } from './store.ts';

// Whoever may not begin is told no reason: anybody can ask.
const nothing = data({ auth_url: '' });

/** oidc/auth_url: where a browser begins to log in. */
export function authUrlPaths({ store, issuers, requests }: JwtContext): Path[] {
  return [
    path({
      pattern: 'oidc/auth_url',
      synopsis: 'Request an authorization URL to start an OIDC login flow.',
      access: 'unauthenticated',
      fields: {
        role: { type: 'string', description: 'The role to log in against.', default: '' },
        redirect_uri: { type: 'string', description: 'Where the browser is sent back to.', default: '' },
        client_nonce: {
          type: 'string',
          description: 'When given, the callback must bring it too.',
          default: '',
        },
      },
      operations: {
        update: {
          summary: 'Request an authorization URL.',
          handler: async (request, values): Promise<Response> => {
            const config = await store.config();
            if (config === undefined) return badRequest('could not load configuration');
            if (!isOidcFlow(config)) return badRequest('OIDC login is not configured for this mount');
            const roleName = values.role.toLowerCase() || config.defaultRole;
            if (roleName === '') return badRequest('missing role');
            const role = await store.role(roleName);
            if (role === undefined) return badRequest(`role ${JSON.stringify(roleName)} could not be found`);
            if (values.client_nonce === '' && role.callbackMode !== 'client')
              return badRequest('missing client_nonce');
            const given = {
              roleName,
              clientNonce: values.client_nonce,
              requesterAddress: request.remoteAddress,
            };
            const issuer = issuers.get(config);
            if (role.callbackMode === 'device')
              return startDeviceFlow({ config, issuer, role, requests }, given);
            if (values.redirect_uri === '') return badRequest('missing redirect_uri');
            const { uri, namespace } = config.namespaceInState
              ? splitNamespace(values.redirect_uri)
              : { uri: values.redirect_uri, namespace: '' };
            if (role.type !== 'oidc' || !isAllowedRedirect(uri, role.redirectUris ?? [])) return nothing;
            const redirectUri = config.responseMode === 'form_post' ? uri.replace('ui/vault', 'v1') : uri;
            const begun = requests.create({ ...given, redirectUri, deviceCode: '' });
            const url = await authUrl(config, issuer, role, begun, namespace);
            if (url instanceof IssuerFailure) return nothing;
            return data({
              auth_url: url,
              ...(role.callbackMode === 'direct'
                ? { poll_interval: String(role.pollInterval || 5), state: begun.state }
                : {}),
            });
          },
        },
      },
    }),
  ];
}

async function authUrl(
  config: JwtConfig,
  issuer: Issuer,
  role: JwtRole,
  request: OidcRequest,
  namespace: string,
): Promise<string | IssuerFailure> {
  const document = await issuer.discover();
  if (document instanceof IssuerFailure) return document;
  // A provider that names no such endpoint gets the query alone, as from Vault: its client adds the rest.
  const named = member(document, 'authorization_endpoint');
  const endpoint = typeof named === 'string' ? named : '';
  const implicit = hasResponseType(config, 'id_token');
  const parameters = new URLSearchParams({
    client_id: config.clientId,
    nonce: request.nonce,
    redirect_uri: request.redirectUri,
    response_type: implicit ? 'id_token' : 'code',
    scope: [...new Set(['openid', ...(role.scopes ?? [])])].join(' '),
    state: namespace === '' ? request.state : `${request.state},ns=${namespace}`,
    ...(config.responseMode === 'form_post' ? { response_mode: 'form_post' } : {}),
    ...(role.maxAge > 0 ? { max_age: String(role.maxAge) } : {}),
    ...(implicit
      ? {}
      : {
          code_challenge: createHash('sha256').update(request.codeVerifier).digest('base64url'),
          code_challenge_method: 'S256',
        }),
  });
  return `${endpoint}${endpoint.includes('?') ? '&' : '?'}${parameters.toString()}`;
}
