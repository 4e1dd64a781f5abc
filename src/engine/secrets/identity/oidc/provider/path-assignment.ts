import { type Path, path } from '../../../../logical/logical.ts';
import { badRequest, data, empty, keys as listed, notFound } from '../../../../logical/response.ts';
import type { Oidc } from '../context.ts';
import { findAssignment } from './lookup.ts';
import { ALLOW_ALL } from './model.ts';

/** oidc/assignment: who may sign in. */
export function assignmentPaths(oidc: Oidc): Path[] {
  const { assignments, clients } = oidc;
  return [
    path({
      pattern: 'oidc/assignment',
      synopsis: 'List OIDC assignments',
      fields: {},
      operations: {
        list: {
          summary: 'List the names of the assignments.',
          handler: async () => listed([...(await assignments.names()), ALLOW_ALL].toSorted()),
        },
      },
    }),
    path({
      pattern: 'oidc/assignment/:name',
      synopsis: 'CRUD operations for OIDC assignments.',
      fields: {
        name: { type: 'string', description: 'Name of the assignment', required: true },
        entity_ids: {
          type: 'commaList',
          description: 'Comma separated string or array of identity entity IDs',
        },
        group_ids: {
          type: 'commaList',
          description: 'Comma separated string or array of identity group IDs',
        },
      },
      exists: async (_request, { name }) => (await findAssignment(oidc, name)) !== undefined,
      operations: {
        read: {
          summary: 'Read an assignment.',
          handler: async (_request, { name }) => {
            const found = await findAssignment(oidc, name);
            return found === undefined
              ? notFound
              : data({ entity_ids: [...found.entityIds], group_ids: [...found.groupIds] });
          },
        },
        update: {
          summary: 'Create or update an assignment.',
          handler: (_request, values) =>
            oidc.exclusive(async () => {
              if (values.name === ALLOW_ALL)
                return badRequest(`modification of assignment ${JSON.stringify(ALLOW_ALL)} not allowed`);
              const before = await assignments.get(values.name);
              const ids = (given: readonly string[]): string[] => [
                ...new Set(given.map((id) => id.toLowerCase())),
              ];
              await assignments.put(values.name, {
                entityIds: ids(values.entity_ids ?? before?.entityIds ?? []),
                groupIds: ids(values.group_ids ?? before?.groupIds ?? []),
              });
              return empty;
            }),
        },
        delete: {
          summary: 'Delete an assignment.',
          handler: (_request, { name }) =>
            oidc.exclusive(async () => {
              if (name === ALLOW_ALL)
                return badRequest(`deletion of assignment ${JSON.stringify(ALLOW_ALL)} not allowed`);
              const users = (await clients.entries())
                .filter(([, client]) => client.assignments.includes(name))
                .map(([user]) => user);
              if (users.length > 0) {
                return badRequest(
                  `unable to delete assignment ${JSON.stringify(name)} because it is currently referenced by these clients: ${users.join(', ')}`,
                );
              }
              await assignments.delete(name);
              return empty;
            }),
        },
      },
    }),
  ];
}
