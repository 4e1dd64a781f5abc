import type { JsonObject } from '../../../../../lib/json.ts';
import { type Path, path } from '../../../../logical/logical.ts';
import { badRequest, data, empty, keys as listed, notFound } from '../../../../logical/response.ts';
import type { Oidc } from '../context.ts';
import { DEFAULT_KEY } from '../keys.ts';
import { findAssignment } from './lookup.ts';
import type { Client } from './model.ts';

const DAY = 86_400;

/** oidc/client: relying parties. */
export function clientPaths(oidc: Oidc): Path[] {
  const { clients, keys, random } = oidc;
  return [
    path({
      pattern: 'oidc/client',
      synopsis: 'List OIDC clients',
      fields: {},
      operations: {
        list: {
          summary: 'List the names of the clients.',
          handler: async () => {
            const info: JsonObject = {};
            for (const [name, client] of await clients.entries()) info[name] = render(client);
            return listed(Object.keys(info), { key_info: info });
          },
        },
      },
    }),
    path({
      pattern: 'oidc/client/:name',
      synopsis: 'CRUD operations for OIDC clients.',
      fields: {
        name: { type: 'string', description: 'Name of the client.', required: true },
        redirect_uris: {
          type: 'commaList',
          description: 'Comma separated string or array of redirect URIs used by the client.',
        },
        assignments: {
          type: 'commaList',
          description: 'Comma separated string or array of assignment resources.',
        },
        key: {
          type: 'string',
          description: 'A reference to a named key resource. Cannot be modified after creation.',
        },
        id_token_ttl: {
          type: 'duration',
          description: 'The time-to-live for ID tokens obtained by the client.',
        },
        access_token_ttl: {
          type: 'duration',
          description: 'The time-to-live for access tokens obtained by the client.',
        },
        client_type: {
          type: 'string',
          description: 'The client type: confidential or public. Cannot be modified after creation.',
        },
        authorization_code: { type: 'bool', description: 'Whether the authorization code flow is allowed.' },
        client_credentials: { type: 'bool', description: 'Whether the client credentials flow is allowed.' },
      },
      exists: async (_request, { name }) => (await clients.get(name)) !== undefined,
      operations: {
        read: {
          summary: 'Read a client.',
          handler: async (_request, { name }) => {
            const client = await clients.get(name);
            if (client === undefined) return notFound;
            const secret = client.type === 'confidential' ? { client_secret: client.clientSecret } : {};
            return data({ ...render(client), ...secret });
          },
        },
        update: {
          summary: 'Create or update a client.',
          handler: (_request, values) =>
            oidc.exclusive(async () => {
              const before = await clients.get(values.name);
              const assignments = [...new Set(values.assignments ?? before?.assignments ?? [])];
              for (const name of assignments)
                if ((await findAssignment(oidc, name)) === undefined)
                  return badRequest(`assignment ${JSON.stringify(name)} does not exist`);
              const keyName = values.key ?? before?.key ?? DEFAULT_KEY;
              if (before !== undefined && keyName !== before.key)
                return badRequest('key modification is not allowed');
              const key = await keys.get(keyName);
              if (key === undefined) return badRequest(`key ${JSON.stringify(keyName)} does not exist`);
              const idTokenTtl = values.id_token_ttl ?? before?.idTokenTtl ?? DAY;
              if (idTokenTtl > key.verificationTtl) {
                return badRequest(
                  "a client's id_token_ttl cannot be greater than the verification_ttl of the key it references",
                );
              }
              const type = values.client_type ?? before?.type ?? 'confidential';
              if (before !== undefined && type !== before.type)
                return badRequest('client_type modification is not allowed');
              if (type !== 'confidential' && type !== 'public')
                return badRequest(`invalid client_type ${JSON.stringify(type)}`);
              await clients.put(values.name, {
                key: keyName,
                redirectUris: [...new Set(values.redirect_uris ?? before?.redirectUris ?? [])],
                assignments,
                idTokenTtl,
                accessTokenTtl: values.access_token_ttl ?? before?.accessTokenTtl ?? DAY,
                type,
                authorizationCode: values.authorization_code ?? before?.authorizationCode ?? true,
                clientCredentials: values.client_credentials ?? before?.clientCredentials ?? false,
                clientId: before?.clientId ?? random.base62(32),
                clientSecret:
                  before?.clientSecret ?? (type === 'public' ? '' : `hvo_secret_${random.base62(64)}`),
              });
              return empty;
            }),
        },
        delete: {
          summary: 'Delete a client.',
          handler: async (_request, { name }) => {
            await clients.delete(name);
            return empty;
          },
        },
      },
    }),
  ];
}

function render(client: Client): JsonObject {
  return {
    access_token_ttl: client.accessTokenTtl,
    assignments: [...client.assignments],
    authorization_code: client.authorizationCode,
    client_credentials: client.clientCredentials,
    client_id: client.clientId,
    client_type: client.type,
    id_token_ttl: client.idTokenTtl,
    key: client.key,
    redirect_uris: [...client.redirectUris],
  };
}
