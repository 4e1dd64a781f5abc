import { type Path, path } from '../logical/logical.ts';
import { data, empty } from '../logical/response.ts';
import type { SysPort } from './port.ts';

const mount_accessor = { type: 'string', description: 'Accessor of an auth method.' } as const;

/** locked-users: who is refused for failing to log in too often, and an end to it. */
export function lockedUserPaths(port: SysPort): Path[] {
  return [
    path({
      pattern: 'locked-users',
      synopsis: 'Report the locked user count metrics.',
      fields: { mount_accessor: { ...mount_accessor, query: true } },
      operations: {
        read: {
          summary: 'Report the locked user count metrics, for this namespace and all child namespaces.',
          handler: async (_request, values) => {
            const users = (await port.lockedUsers.list()).filter(({ accessor }) =>
              [undefined, '', accessor].includes(values.mount_accessor),
            );
            const mounts = [...new Set(users.map(({ accessor }) => accessor))].map((accessor) => {
              const names = users.filter((user) => user.accessor === accessor).map(({ name }) => name);
              return {
                alias_identifiers: names.toSorted(),
                counts: names.length,
                mount_accessor: accessor,
              };
            });
            return data({
              by_namespace:
                users.length === 0
                  ? []
                  : [
                      {
                        counts: users.length,
                        mount_accessors: mounts.toSorted((a, b) => b.counts - a.counts),
                        namespace_id: 'root',
                        namespace_path: '',
                      },
                    ],
              total: users.length,
            });
          },
        },
      },
    }),
    path({
      pattern: 'locked-users/:mount_accessor/unlock/:alias_identifier',
      names: { mount_accessor: 'any', alias_identifier: 'any' },
      synopsis: 'Unlock the locked user with given mount_accessor and alias_identifier.',
      fields: {
        mount_accessor: { ...mount_accessor, required: true },
        alias_identifier: { type: 'string', description: 'The name as the method knows it.', required: true },
      },
      operations: {
        update: {
          summary: 'Unlock a user.',
          handler: async (_request, values) => {
            await port.lockedUsers.unlock({
              accessor: values.mount_accessor,
              name: values.alias_identifier,
            });
            return empty;
          },
        },
      },
    }),
  ];
}
