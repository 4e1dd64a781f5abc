import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound } from '../../logical/response.ts';
import { normalPolicies } from '../token-fields.ts';
import { canonical, type LdapStore } from './store.ts';

const name = { type: 'string', description: 'Name of the LDAP group.', required: true } as const;

/** groups/: policies of the directory's groups. */
export function groupPaths(store: LdapStore): Path[] {
  return [
    path({
      pattern: 'groups',
      synopsis: 'Manage additional groups for users allowed to authenticate.',
      fields: {},
      operations: {
        list: { summary: 'List the groups.', handler: async () => keys(await store.groupNames()) },
      },
    }),
    path({
      pattern: 'groups/*name',
      caselessName: true,
      synopsis: 'Manage additional groups for users allowed to authenticate.',
      fields: {
        name,
        policies: { type: 'commaList', description: 'Policies of the group.', fold: true, default: [] },
      },
      operations: {
        read: {
          summary: 'Read the policies of a group.',
          handler: async (_request, values) => {
            const group = await store.group(canonical(await store.config(), values.name));
            return group === undefined ? notFound : data({ policies: [...group.policies] });
          },
        },
        update: {
          summary: 'Set the policies of a group.',
          handler: async (_request, values) => {
            if (values.name === '') return badRequest('missing name');
            await store.putGroup(canonical(await store.config(), values.name), {
              policies: normalPolicies(values.policies),
            });
            return empty;
          },
        },
        delete: {
          summary: 'Forget a group.',
          handler: async (_request, values) => {
            await store.deleteGroup(canonical(await store.config(), values.name));
            return empty;
          },
        },
      },
    }),
  ];
}
