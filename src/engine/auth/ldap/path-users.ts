import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound } from '../../logical/response.ts';
import { normalPolicies } from '../token-fields.ts';
import { canonical, type LdapStore } from './store.ts';

const name = { type: 'string', description: 'Name of the LDAP user.', required: true } as const;

/** users/: policies and further groups of the directory's users. */
export function userPaths(store: LdapStore): Path[] {
  return [
    path({
      pattern: 'users',
      synopsis: 'Manage users allowed to authenticate.',
      fields: {},
      operations: {
        list: { summary: 'List the users.', handler: async () => keys(await store.userNames()) },
      },
    }),
    path({
      pattern: 'users/*name',
      caselessName: true,
      synopsis: 'Manage users allowed to authenticate.',
      fields: {
        name,
        groups: { type: 'commaList', description: 'Further groups of the user.', default: [] },
        policies: { type: 'commaList', description: 'Policies of the user.', fold: true, default: [] },
      },
      operations: {
        read: {
          summary: 'Read the groups and policies of a user.',
          handler: async (_request, values) => {
            const user = await store.user(canonical(await store.config(), values.name));
            return user === undefined
              ? notFound
              : data({ groups: user.groups.join(','), policies: [...user.policies] });
          },
        },
        update: {
          summary: 'Set the groups and policies of a user.',
          handler: async (_request, values) => {
            if (values.name === '') return badRequest('missing name');
            const config = await store.config();
            await store.putUser(canonical(config, values.name), {
              groups: [...new Set(values.groups.map((each) => canonical(config, each)))],
              policies: normalPolicies(values.policies),
            });
            return empty;
          },
        },
        delete: {
          summary: 'Forget a user.',
          handler: async (_request, values) => {
            await store.deleteUser(canonical(await store.config(), values.name));
            return empty;
          },
        },
      },
    }),
  ];
}
