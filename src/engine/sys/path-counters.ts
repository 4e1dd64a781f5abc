import { type Path, path } from '../logical/logical.ts';
import { data, notFound, type Response } from '../logical/response.ts';
import { folderOf, type MountEntry } from '../mount/mount.ts';
import type { SysPort } from './port.ts';

/** internal/counters and internal/inspect: what there is, and how it is mounted. */
export function counterPaths(port: SysPort): Path[] {
  const counter = (name: string, summary: string, read: () => Promise<Response>): Path =>
    path({
      pattern: `internal/counters/${name}`,
      synopsis: summary,
      fields: {},
      operations: { read: { summary, handler: read } },
    });
  return [
    counter('requests', 'Count of requests seen by this Vault cluster over time.', () =>
      Promise.resolve(data({ counters: null })),
    ),
    counter('tokens', 'Count of active tokens in this Vault cluster.', async () =>
      data({ counters: { service_tokens: { total: await port.counts.tokens() } } }),
    ),
    counter('entities', 'Count of active entities in this Vault cluster.', async () =>
      data({ counters: { entities: { total: await port.counts.entities() } } }),
    ),
    path({
      pattern: 'internal/inspect/router/:tag',
      names: { tag: 'any' },
      synopsis: 'Information on the entries of the router.',
      access: 'sudo',
      fields: { tag: { type: 'string', description: 'root, uuid, accessor or storage.', required: true } },
      operations: {
        read: {
          summary: 'Expose the route entries and mount entries of the router.',
          handler: (_request, { tag }) => {
            if (!['root', 'uuid', 'accessor', 'storage'].includes(tag)) return notFound;
            const whole = tag === 'root' || tag === 'storage';
            const entries = [...port.mounts.entries('auth'), ...port.mounts.entries('mounts')];
            return data({
              [tag]: entries.map((entry) => ({ ...names(entry), ...(whole ? place(entry) : {}) })),
            });
          },
        },
      },
    }),
  ];
}

function names(entry: MountEntry): { [name: string]: string } {
  return {
    accessor: entry.accessor,
    mount_namespace: '',
    mount_path: entry.path,
    mount_type: entry.type,
    uuid: entry.uuid,
  };
}

function place(entry: MountEntry): { [name: string]: string | boolean } {
  return {
    storage_prefix: `${entry.table === 'auth' ? 'auth' : 'logical'}/${folderOf(entry)}/`,
    tainted: false,
  };
}
