import type { JsonObject } from '../../../../lib/json.ts';
import { type Path, path } from '../../../logical/logical.ts';
import { badRequest, data, type Response } from '../../../logical/response.ts';
import { issuerOf, type Oidc } from './context.ts';
import { parseJws, signClaims } from './signing.ts';
import { addClaims } from './template.ts';

/** oidc/token: a JWT about the caller; oidc/introspect: whether one is good. */
export function tokenPaths(oidc: Oidc): Path[] {
  return [
    path({
      pattern: 'oidc/token/:name',
      synopsis: 'Generate an OIDC token',
      fields: { name: { type: 'string', description: 'Name of the role', required: true } },
      operations: {
        read: {
          summary: 'Generate an identity token for the caller.',
          handler: (request, { name }) => issue(oidc, name, request.token?.entityId ?? ''),
        },
      },
    }),
    path({
      pattern: 'oidc/introspect',
      synopsis: 'Verify the authenticity of an OIDC token',
      fields: {
        token: { type: 'string', description: 'Token to verify', default: '' },
        client_id: { type: 'string', description: 'Optional client_id to verify', default: '' },
      },
      operations: {
        update: {
          summary: 'Tell whether a token is good and its entity active.',
          handler: async (_request, { token, client_id: clientId }) => {
            const error = await findFault(oidc, token, clientId);
            const body: JsonObject = error === undefined ? { active: true } : { active: false, error };
            return { kind: 'raw', status: 200, body };
          },
        },
      },
    }),
  ];
}

async function issue(oidc: Oidc, name: string, entityId: string): Promise<Response> {
  const role = await oidc.roles.get(name);
  if (role === undefined) return badRequest(`role ${JSON.stringify(name)} not found`);
  const key = await oidc.keys.ready(role.key);
  if (key === undefined) return badRequest(`key ${JSON.stringify(role.key)} not found`);
  if (!key.allowedClientIds.includes('*') && !key.allowedClientIds.includes(role.clientId)) {
    return badRequest(
      `the key ${JSON.stringify(role.key)} does not list the client ID of the role ${JSON.stringify(name)} as an allowed client ID`,
    );
  }
  if (entityId === '') return badRequest("no entity associated with the request's token");
  const subject = await oidc.identity.templateValues(entityId);
  if (subject === undefined) return badRequest("no entity associated with the request's token");
  const ttl = Math.min(role.ttl, key.verificationTtl);
  const warnings =
    ttl < role.ttl
      ? [
          `a role's token ttl cannot be longer than the verification_ttl of the key it references, setting token ttl to ${ttl}`,
        ]
      : undefined;
  const now = oidc.keys.now();
  const claims = {
    iss: await issuerOf(oidc),
    namespace: 'root',
    sub: subject.entity.id,
    aud: role.clientId,
    exp: now + ttl,
    iat: now,
  };
  const token = signClaims(key.pairs.signing, addClaims(claims, [role.template], subject, now));
  return data({ client_id: role.clientId, token, ttl: role.ttl }, warnings);
}

/** What is wrong with a token, or undefined. */
async function findFault(oidc: Oidc, token: string, clientId: string): Promise<string | undefined> {
  const jws = parseJws(token);
  if (jws === undefined) return 'error parsing token: it is not a signed JWT of a known algorithm';
  const roles = await oidc.roles.entries();
  const keys = await oidc.keys.publicKeys(roles.map(([, { key }]) => key));
  if (!keys.some((key) => jws.isSignedBy(key))) return 'unable to validate the token signature';
  const { iss, exp, aud, sub } = jws.claims;
  if (iss !== (await issuerOf(oidc))) return 'error validating claims: invalid issuer claim (iss)';
  if (typeof exp !== 'number' || exp <= oidc.keys.now())
    return 'error validating claims: token is expired (exp)';
  if (clientId !== '' && aud !== clientId) return 'error validating claims: invalid audience claim (aud)';
  const entity = typeof sub === 'string' ? await oidc.identity.entity(sub) : undefined;
  if (entity === undefined) return 'entity was not found';
  return entity.disabled ? 'entity is disabled' : undefined;
}
