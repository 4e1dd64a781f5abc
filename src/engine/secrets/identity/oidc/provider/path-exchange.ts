import { createHash } from 'node:crypto';
import { equalBytes, utf8 } from '../../../../../lib/bytes.ts';
import type { JsonObject } from '../../../../../lib/json.ts';
import type { FieldValues } from '../../../../logical/fields.ts';
import { type Path, path } from '../../../../logical/logical.ts';
import type { LogicalRequest } from '../../../../logical/request.ts';
import { toBase64Url } from '../base64url.ts';
import type { Oidc } from '../context.ts';
import type { ReadyKey } from '../keys.ts';
import { hashClaim, signClaims } from '../signing.ts';
import { NOBODY } from '../template.ts';
import {
  addScopes,
  allows,
  findClient,
  findProvider,
  isAssigned,
  providerIssuer,
  scopesOf,
} from './lookup.ts';
import type { Client, Code, Provider } from './model.ts';

/** The kind of token that the userinfo endpoint takes (RFC 9068 §2.1). */
export const ACCESS_TOKEN = 'at+jwt';

const fields = {
  name: { type: 'string', description: 'Name of the provider', required: true },
  code: {
    type: 'string',
    description: "The authorization code received from the provider's authorization endpoint.",
    default: '',
  },
  grant_type: {
    type: 'string',
    description: "The authorization grant type: 'authorization_code' or 'client_credentials'.",
    default: '',
  },
  redirect_uri: {
    type: 'string',
    description: 'The callback location where the authentication response was sent.',
    default: '',
  },
  code_verifier: {
    type: 'string',
    description: 'The code verifier associated with the authorization code.',
    default: '',
  },
  scope: { type: 'string', description: 'The scopes of a client credentials grant.', default: '' },
  client_id: { type: 'string', description: 'The ID of the requesting client.', default: '' },
  client_secret: { type: 'string', description: 'The secret of the requesting client.', default: '' },
} as const;

type Asked = FieldValues<typeof fields>;
interface TokenError {
  readonly error: string;
  readonly error_description: string;
}
interface Grant {
  readonly name: string;
  readonly provider: Provider;
  readonly client: Client;
  readonly key: ReadyKey;
}

/** oidc/provider/:name/token: tokens for a client (OpenID Connect Core §3.1.3). */
export function exchangePaths(oidc: Oidc): Path[] {
  return [
    path({
      pattern: 'oidc/provider/:name/token',
      synopsis: 'Provides the OIDC Token Endpoint.',
      access: 'unauthenticated',
      fields,
      operations: {
        update: {
          summary: 'Exchange an authorization grant for tokens.',
          handler: async (request, asked) => {
            const body = await exchange(oidc, request, asked);
            const status = 'error' in body ? (body['error'] === 'invalid_client' ? 401 : 400) : 200;
            return { kind: 'raw', status, body };
          },
        },
      },
    }),
  ];
}

async function exchange(oidc: Oidc, request: LogicalRequest, asked: Asked): Promise<JsonObject> {
  const grant = await authenticate(oidc, request, asked);
  if ('error' in grant) return { ...grant };
  const { client } = grant;
  if (asked.grant_type === 'authorization_code') {
    if (!client.authorizationCode) return { ...flowRefused };
    const code = await redeem(oidc, grant, asked);
    return 'error' in code ? { ...code } : issue(oidc, grant, code, asked.code);
  }
  if (asked.grant_type === 'client_credentials') {
    return client.clientCredentials ? issueToClient(oidc, grant, asked.scope) : { ...flowRefused };
  }
  return { ...fault('unsupported_grant_type', 'unsupported grant_type or parameter is empty value') };
}

// A client says who it is in the body, or by Basic authentication.
async function authenticate(
  oidc: Oidc,
  request: LogicalRequest,
  { name, ...asked }: Asked,
): Promise<Grant | TokenError> {
  const provider = await findProvider(oidc, name);
  if (provider === undefined) return fault('invalid_request', 'provider not found');
  const { user: clientId, secret } = request.credentials ?? {
    user: asked.client_id,
    secret: asked.client_secret,
  };
  if (clientId === '') return fault('invalid_request', 'client_id parameter is required');
  const client = await findClient(oidc, clientId);
  if (client === undefined || (client.type === 'confidential' && !same(client.clientSecret, secret)))
    return fault('invalid_client', 'client failed to authenticate');
  if (!allows(provider, clientId))
    return fault('invalid_client', 'client is not authorized to use the provider');
  const key = await oidc.keys.ready(client.key);
  if (key === undefined || !allows(key, clientId))
    return fault('invalid_client', 'client is not authorized to use the key');
  return { name, provider, client, key };
}

/** Takes a code, which is good once, whatever comes of it. */
async function redeem(oidc: Oidc, { name, client }: Grant, asked: Asked): Promise<Code | TokenError> {
  if (asked.code === '') return fault('invalid_request', 'code parameter is required');
  const code = oidc.codes.get(asked.code);
  oidc.codes.delete(asked.code);
  if (code === undefined || code.expires <= oidc.keys.now())
    return fault('invalid_grant', 'authorization grant is invalid or expired');
  if (code.clientId !== client.clientId)
    return fault('invalid_grant', 'authorization code was not issued to the client');
  if (code.provider !== name)
    return fault('invalid_grant', 'authorization code was not issued by the provider');
  if (asked.redirect_uri === '') return fault('invalid_request', 'redirect_uri parameter is required');
  if (asked.redirect_uri !== code.redirectUri) {
    return fault(
      'invalid_grant',
      'redirect_uri does not match the redirect_uri used in the authorization request',
    );
  }
  const { challenge } = code;
  const verifier = asked.code_verifier;
  if (challenge === undefined) {
    if (client.type === 'public') return fault('invalid_request', 'PKCE is required for public clients');
    return verifier === '' ? code : fault('invalid_request', 'unexpected code_verifier for token exchange');
  }
  if (verifier === '') return fault('invalid_request', 'expected code_verifier for token exchange');
  const computed =
    challenge.method === 'plain' ? verifier : toBase64Url(createHash('sha256').update(verifier).digest());
  return same(computed, challenge.value)
    ? code
    : fault('invalid_grant', 'invalid code_verifier for token exchange');
}

async function issue(oidc: Oidc, grant: Grant, code: Code, codeText: string): Promise<JsonObject> {
  const { name, provider, client, key } = grant;
  const subject = await isAssigned(oidc, code.entityId, client);
  if (subject === undefined)
    return { ...fault('invalid_request', 'identity entity not authorized by client assignment') };
  const iss = providerIssuer(oidc, name, provider);
  const iat = oidc.keys.now();
  const pair = key.pairs.signing;
  const access = signClaims(
    pair,
    {
      iss,
      sub: subject.entity.id,
      aud: `${iss}/userinfo`,
      client_id: client.clientId,
      scope: code.scopes.join(' '),
      iat,
      exp: iat + client.accessTokenTtl,
      jti: oidc.random.uuid(),
    },
    ACCESS_TOKEN,
  );
  const claims = await addScopes(
    oidc,
    {
      namespace: 'root',
      iss,
      sub: subject.entity.id,
      aud: client.clientId,
      iat,
      exp: iat + client.idTokenTtl,
      at_hash: hashClaim(pair.publicKey.alg, access),
      c_hash: hashClaim(pair.publicKey.alg, codeText),
      ...(code.nonce === '' ? {} : { nonce: code.nonce }),
      ...(code.authTime === undefined ? {} : { auth_time: code.authTime }),
    },
    code.scopes,
    subject,
  );
  if (typeof claims === 'string') return { ...fault('invalid_request', claims) };
  return {
    token_type: 'Bearer',
    access_token: access,
    id_token: signClaims(pair, claims),
    expires_in: client.accessTokenTtl,
  };
}

async function issueToClient(oidc: Oidc, grant: Grant, asked: string): Promise<JsonObject> {
  const { name, provider, client, key } = grant;
  const scopes = scopesOf(asked, provider);
  if (scopes === undefined)
    return { ...fault('invalid_request', 'scope parameter must contain the "openid" value') };
  const iat = oidc.keys.now();
  const own = {
    namespace: 'root',
    iss: providerIssuer(oidc, name, provider),
    sub: client.clientId,
    aud: client.clientId,
    iat,
    exp: iat + client.accessTokenTtl,
    jti: oidc.random.uuid(),
  };
  const claims = await addScopes(oidc, own, scopes, NOBODY);
  if (typeof claims === 'string') return { ...fault('invalid_request', claims) };
  return {
    token_type: 'Bearer',
    access_token: signClaims(key.pairs.signing, claims),
    expires_in: client.accessTokenTtl,
  };
}

function same(a: string, b: string): boolean {
  return equalBytes(utf8(a), utf8(b));
}

function fault(error: string, description: string): TokenError {
  return { error, error_description: description };
}

const flowRefused: TokenError = fault(
  'invalid_grant',
  'client is not authorized to use given credentials flow',
);
