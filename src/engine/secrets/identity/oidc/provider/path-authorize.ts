import type { FieldValues } from '../../../../logical/fields.ts';
import { type Path, path } from '../../../../logical/logical.ts';
import type { LogicalRequest } from '../../../../logical/request.ts';
import type { Response } from '../../../../logical/response.ts';
import type { Oidc } from '../context.ts';
import { allows, findClient, findProvider, isAssigned, scopesOf } from './lookup.ts';
import type { Code } from './model.ts';

const CODE_SECONDS = 300;

const fields = {
  name: { type: 'string', description: 'Name of the provider', required: true },
  client_id: { type: 'string', description: 'The ID of the requesting client.', default: '', query: true },
  scope: {
    type: 'string',
    description: "A space-delimited, case-sensitive list of scopes to be requested. 'openid' is required.",
    default: '',
    query: true,
  },
  redirect_uri: {
    type: 'string',
    description: 'The redirection URI to which the response will be sent.',
    default: '',
    query: true,
  },
  response_type: { type: 'string', description: "The authentication flow: 'code'", default: '', query: true },
  state: {
    type: 'string',
    description: 'The value used to maintain state between the authentication request and client.',
    default: '',
    query: true,
  },
  nonce: {
    type: 'string',
    description: 'The value that will be returned in the ID token nonce claim after a token exchange.',
    default: '',
    query: true,
  },
  max_age: {
    type: 'int',
    description: 'The allowable elapsed time in seconds since the end-user was actively authenticated.',
    query: true,
  },
  code_challenge: {
    type: 'string',
    description: 'The code challenge derived from the code verifier.',
    query: true,
  },
  code_challenge_method: {
    type: 'string',
    description: "The method that was used to derive the code challenge: 'S256' or 'plain'.",
    default: 'plain',
    query: true,
  },
  request: { type: 'any', description: 'Not supported.', query: true },
  request_uri: { type: 'any', description: 'Not supported.', query: true },
} as const;

type Asked = FieldValues<typeof fields>;
interface AuthError {
  readonly error: string;
  readonly description: string;
}

/** oidc/provider/:name/authorize: a code for the caller, to be exchanged by a client (OpenID Connect Core §3.1.2). */
export function authorizePaths(oidc: Oidc): Path[] {
  const handler = async (request: LogicalRequest, asked: Asked): Promise<Response> => {
    const code = await authorize(oidc, request, asked);
    if ('error' in code) {
      const { error, description } = code;
      const body = { error, error_description: description, state: asked.state };
      return { kind: 'raw', status: 400, body };
    }
    const text = oidc.random.base62(32);
    oidc.codes.set(text, code);
    return { kind: 'raw', status: 200, body: { code: text, state: asked.state } };
  };
  return [
    path({
      pattern: 'oidc/provider/:name/authorize',
      record: false,
      synopsis: 'Provides the OIDC Authorization Endpoint.',
      fields,
      operations: {
        read: { summary: 'Authorize a client.', handler },
        update: { summary: 'Authorize a client.', handler },
      },
    }),
  ];
}

async function authorize(oidc: Oidc, request: LogicalRequest, asked: Asked): Promise<Code | AuthError> {
  const { client_id: clientId, redirect_uri: redirectUri } = asked;
  if (clientId === '') return fault('invalid_client_id', 'client_id parameter is required');
  const client = await findClient(oidc, clientId);
  if (client === undefined) return fault('invalid_client_id', 'client with client_id not found');
  if (!client.authorizationCode)
    return fault('invalid_grant', 'client not allowed to perform authorization code credential flow');
  if (redirectUri === '') return fault('invalid_request', 'redirect_uri parameter is required');
  if (!isRedirect(redirectUri, client.redirectUris))
    return fault('invalid_redirect_uri', 'redirect_uri is not allowed for the client');
  const provider = await findProvider(oidc, asked.name);
  if (provider === undefined) return fault('invalid_request', 'provider not found');
  if (!allows(provider, clientId))
    return fault('unauthorized_client', 'client is not authorized to use the provider');
  if (asked.request !== undefined)
    return fault('request_not_supported', 'request parameter is not supported');
  if (asked.request_uri !== undefined)
    return fault('request_uri_not_supported', 'request_uri parameter is not supported');
  const scopes = scopesOf(asked.scope, provider);
  if (scopes === undefined)
    return fault('invalid_request', 'scope parameter must contain the "openid" value');
  if (asked.response_type === '') return fault('invalid_request', 'response_type parameter is required');
  if (asked.response_type !== 'code')
    return fault('unsupported_response_type', 'unsupported response_type value');
  const { token } = request;
  if (token === undefined || token.entityId === '')
    return fault('access_denied', 'identity entity must be associated with the request');
  const subject = await isAssigned(oidc, token.entityId, client);
  if (subject === undefined)
    return fault('access_denied', 'identity entity not authorized by client assignment');
  const challenge = readChallenge(asked, client.type === 'public');
  if (challenge !== undefined && 'error' in challenge) return challenge;
  const age = asked.max_age;
  if (age !== undefined && age < 1) return fault('invalid_request', 'max_age must be greater than zero');
  const now = oidc.keys.now();
  if (age !== undefined && now - token.creationTime > age)
    return fault('max_age_violation', 'active re-authentication is required by max_age');
  return {
    provider: asked.name,
    clientId,
    entityId: subject.entity.id,
    redirectUri,
    nonce: asked.nonce,
    scopes,
    challenge,
    authTime: age === undefined ? undefined : token.creationTime,
    expires: now + CODE_SECONDS,
  };
}

// RFC 7636
function readChallenge(asked: Asked, required: boolean): Code['challenge'] | AuthError {
  const { code_challenge: value, code_challenge_method: given } = asked;
  if (value === undefined)
    return required ? fault('invalid_request', 'PKCE is required for public clients') : undefined;
  const method = given === '' ? 'plain' : given;
  if (method !== 'plain' && method !== 'S256')
    return fault('invalid_request', 'invalid code_challenge_method');
  if (value.length < 43 || value.length > 128) return fault('invalid_request', 'invalid code_challenge');
  return { value, method };
}

/** The very text, or for programs on the user's own machine the same on any port (RFC 8252 §7.3). */
function isRedirect(uri: string, allowed: readonly string[]): boolean {
  if (allowed.includes(uri)) return true;
  const asked = withoutPort(uri);
  return asked !== undefined && allowed.some((each) => withoutPort(each) === asked);
}

function withoutPort(uri: string): string | undefined {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (url === undefined || !['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)) return undefined;
  url.port = '';
  return url.href;
}

function fault(error: string, description: string): AuthError {
  return { error, description };
}
