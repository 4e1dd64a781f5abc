import { fromBase64, text } from '../../../../lib/bytes.ts';
import { type Path, path } from '../../../logical/logical.ts';
import { badRequest, data, empty, keys as listed, notFound } from '../../../logical/response.ts';
import type { Oidc } from './context.ts';
import { checkTemplate } from './template.ts';

const DAY = 86_400;

/** oidc/role: what identity tokens are made with. */
export function rolePaths(oidc: Oidc): Path[] {
  const { keys, random, roles } = oidc;
  return [
    path({
      pattern: 'oidc/role',
      synopsis: 'List configured OIDC roles',
      fields: {},
      operations: {
        list: { summary: 'List the names of the roles.', handler: async () => listed(await roles.names()) },
      },
    }),
    path({
      pattern: 'oidc/role/:name',
      synopsis: 'CRUD operations on OIDC Roles',
      fields: {
        name: { type: 'string', description: 'Name of the role', required: true },
        key: {
          type: 'string',
          description: 'The OIDC key to use for generating tokens. The specified key must already exist.',
        },
        template: {
          type: 'string',
          description:
            'The template string to use for generating tokens. This may be in string-ified JSON or base64 format.',
        },
        ttl: { type: 'duration', description: 'TTL of the tokens generated against the role.' },
        client_id: { type: 'string', description: 'Optional client_id' },
      },
      exists: async (_request, { name }) => (await roles.get(name)) !== undefined,
      operations: {
        read: {
          summary: 'Read a role.',
          handler: async (_request, { name }) => {
            const role = await roles.get(name);
            return role === undefined
              ? notFound
              : data({ client_id: role.clientId, key: role.key, template: role.template, ttl: role.ttl });
          },
        },
        update: {
          summary: 'Create or update a role.',
          handler: (_request, values) =>
            oidc.exclusive(async () => {
              const before = await roles.get(values.name);
              const keyName = values.key ?? before?.key ?? '';
              if (keyName === '') return badRequest('the key parameter is required');
              const template = decoded(values.template ?? before?.template ?? '');
              const problem = checkTemplate(template);
              if (problem !== undefined) return badRequest(problem);
              const ttl = values.ttl ?? before?.ttl ?? DAY;
              const key = await keys.get(keyName);
              if (key === undefined) return badRequest(`cannot find key ${JSON.stringify(keyName)}`);
              if (ttl > key.verificationTtl) {
                return badRequest(
                  "a role's token ttl cannot be longer than the verification_ttl of the key it references",
                );
              }
              const clientId = values.client_id || before?.clientId || random.base62(26);
              await roles.put(values.name, { key: keyName, template, ttl, clientId });
              return empty;
            }),
        },
        delete: {
          summary: 'Delete a role.',
          handler: async (_request, { name }) => {
            await roles.delete(name);
            return empty;
          },
        },
      },
    }),
  ];
}

/** Text, or base64 of it. */
export function decoded(template: string): string {
  const bytes = fromBase64(template);
  return bytes === undefined ? template : text(bytes);
}
