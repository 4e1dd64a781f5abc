import { trim } from '../../lib/trim.ts';
import { type Path, path } from '../logical/logical.ts';
import { badRequest, data, notFound } from '../logical/response.ts';
import { BoundedMap } from '../../lib/bounded-map.ts';
import type { SysPort } from './port.ts';

interface Migration {
  readonly source: string;
  readonly target: string;
  readonly status: 'in-progress' | 'success' | 'failure';
}

/** remount and remount/status: a mount gets another path and keeps its data. */
export function remountPaths(port: SysPort): Path[] {
  const migrations = new BoundedMap<string, Migration>(1000);
  return [
    path({
      pattern: 'remount',
      synopsis: 'Move the mount point of an already-mounted backend, within or across namespaces',
      access: 'sudo',
      fields: {
        from: { type: 'string', description: 'The previous mount point.', default: '' },
        to: { type: 'string', description: 'The new mount point.', default: '' },
      },
      operations: {
        update: {
          summary: 'Initiate a mount migration.',
          handler: async (request, values) => {
            const source = slash(values.from);
            const target = slash(values.to);
            if (source === '/' || target === '/' || target === 'auth/')
              return badRequest("both 'from' and 'to' path must be specified as a string");
            if (/[\s\p{Cc}]/u.test(values.to) || /\/\/|(?:^|\/)\.\.?\//.test(target))
              return badRequest("'to' path cannot contain whitespace, control characters or empty segments");
            const refused = await port.mounts.remount(source, target);
            if (refused !== undefined) return badRequest(refused);
            migrations.set(request.id, { source, target, status: 'success' });
            return {
              kind: 'data',
              atTop: true,
              data: { migration_id: request.id },
              warnings: [
                "Mount move has been queued. Progress will be reported in Vault's server log, tagged with the returned migration_id",
              ],
            };
          },
        },
      },
    }),
    path({
      pattern: 'remount/status/:migration_id',
      names: { migration_id: 'any' },
      synopsis: 'Check the status of a mount move operation',
      fields: {
        migration_id: { type: 'string', description: 'The ID of the migration operation.', required: true },
      },
      operations: {
        read: {
          summary: 'Check status of a mount migration.',
          handler: (_request, values) => {
            const found = migrations.get(values.migration_id);
            if (found === undefined) return notFound;
            return data({
              migration_id: values.migration_id,
              migration_info: {
                source_mount: found.source,
                target_mount: found.target,
                status: found.status,
              },
            });
          },
        },
      },
    }),
  ];
}

function slash(name: string): string {
  return `${trim(name, '/')}/`;
}
