import type { JsonObject } from '../../../lib/json.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound } from '../../logical/response.ts';
import { readRole, renderRole, roleFields } from './role.ts';
import type { SshStore } from './store.ts';

/** roles, roles/:role and config/zeroaddress. */
export function rolePaths(store: SshStore): Path[] {
  return [
    path({
      pattern: 'roles',
      synopsis: "Manage the 'roles' that can be created with this backend.",
      fields: {},
      operations: {
        list: {
          summary: 'List the roles.',
          handler: async () => {
            const names = await store.roleNames();
            const info: JsonObject = {};
            for (const name of names) {
              const role = await store.role(name);
              if (role !== undefined) info[name] = { key_type: role.keyType };
            }
            return keys(names, { key_info: info });
          },
        },
      },
    }),
    path({
      pattern: 'roles/:role',
      names: { role: 'with-at' },
      synopsis: "Manage the 'roles' that can be created with this backend.",
      fields: roleFields,
      operations: {
        read: {
          summary: 'Read a role.',
          handler: async (_request, values) => {
            const role = await store.role(values.role);
            return role === undefined ? notFound : data(renderRole(role));
          },
        },
        update: {
          summary: 'Create or replace a role.',
          handler: (_request, values) =>
            store.exclusive('roles', async () => {
              const role = readRole(values);
              if (typeof role === 'string') return badRequest(role);
              await store.putRole(values.role, role);
              return empty;
            }),
        },
        delete: {
          summary: 'Delete a role.',
          handler: (_request, values) =>
            store.exclusive('roles', async () => {
              await store.deleteRole(values.role);
              return empty;
            }),
        },
      },
    }),
    path({
      pattern: 'config/zeroaddress',
      synopsis: 'Assign zero address as default CIDR block for select roles.',
      fields: {
        roles: { type: 'commaList', description: 'Names of roles that accept any address.' },
      },
      operations: {
        read: {
          summary: 'Read which roles accept any address.',
          handler: async () => {
            const roles = await store.zeroAddressRoles();
            return roles === undefined ? notFound : data({ roles: [...roles] });
          },
        },
        update: {
          summary: 'Set which roles accept any address.',
          handler: (_request, values) =>
            store.exclusive('roles', async () => {
              const roles = values.roles ?? [];
              if (roles.length === 0) return badRequest('Missing roles');
              for (const name of roles)
                if ((await store.role(name)) === undefined)
                  return badRequest(`Role ${JSON.stringify(name)} does not exist`);
              await store.putZeroAddressRoles(roles);
              return empty;
            }),
        },
        delete: {
          summary: 'Let no role accept any address.',
          handler: async () => {
            await store.deleteZeroAddressRoles();
            return empty;
          },
        },
      },
    }),
  ];
}
