import { type Path, path } from '../../../../logical/logical.ts';
import { badRequest, data, empty, keys as listed, notFound } from '../../../../logical/response.ts';
import type { Oidc } from '../context.ts';
import { decoded } from '../path-role.ts';
import { checkTemplate } from '../template.ts';
import { OPENID } from './model.ts';

/** oidc/scope: claims by names. */
export function scopePaths(oidc: Oidc): Path[] {
  const { providers, scopes } = oidc;
  return [
    path({
      pattern: 'oidc/scope',
      synopsis: 'List OIDC scopes',
      fields: {},
      operations: {
        list: { summary: 'List the names of the scopes.', handler: async () => listed(await scopes.names()) },
      },
    }),
    path({
      pattern: 'oidc/scope/:name',
      synopsis: 'CRUD operations for OIDC scopes.',
      fields: {
        name: { type: 'string', description: 'Name of the scope', required: true },
        template: {
          type: 'string',
          description:
            'The template string to use for the scope. This may be in string-ified JSON or base64 format.',
        },
        description: { type: 'string', description: 'The description of the scope' },
      },
      exists: async (_request, { name }) => (await scopes.get(name)) !== undefined,
      operations: {
        read: {
          summary: 'Read a scope.',
          handler: async (_request, { name }) => {
            const scope = await scopes.get(name);
            return scope === undefined
              ? notFound
              : data({ description: scope.description, template: scope.template });
          },
        },
        update: {
          summary: 'Create or update a scope.',
          handler: (_request, values) =>
            oidc.exclusive(async () => {
              if (values.name === OPENID)
                return badRequest(`the ${JSON.stringify(OPENID)} scope name is reserved`);
              const before = await scopes.get(values.name);
              const template = decoded(values.template ?? before?.template ?? '');
              const problem = checkTemplate(template);
              if (problem !== undefined) return badRequest(problem);
              const description = values.description ?? before?.description ?? '';
              await scopes.put(values.name, { template, description });
              return empty;
            }),
        },
        delete: {
          summary: 'Delete a scope.',
          handler: (_request, { name }) =>
            oidc.exclusive(async () => {
              const users = (await providers.entries())
                .filter(([, { scopesSupported }]) => scopesSupported.includes(name))
                .map(([user]) => user);
              if (users.length > 0) {
                return badRequest(
                  `unable to delete scope ${JSON.stringify(name)} because it is currently referenced by these providers: ${users.join(', ')}`,
                );
              }
              await scopes.delete(name);
              return empty;
            }),
        },
      },
    }),
  ];
}
