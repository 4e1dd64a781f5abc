import { mergeEntities } from '../../identity/merge.ts';
import type { Records } from '../../identity/records.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, empty } from '../../logical/response.ts';
import type { Mounts } from './render.ts';

/** entity/merge: several entities become one. */
export function mergePaths(records: Records, mounts: Mounts): Path[] {
  return [
    path({
      pattern: 'entity/merge',
      synopsis: 'Merge two or more entities together.',
      fields: {
        from_entity_ids: { type: 'commaList', description: 'Entity IDs which need to get merged' },
        to_entity_id: {
          type: 'string',
          description: 'Entity ID into which all the other entities need to get merged',
          default: '',
        },
        conflicting_alias_ids_to_keep: {
          type: 'commaList',
          description:
            'Alias IDs to keep in case of conflicting aliases. Ignored if no conflicting aliases found',
        },
        force: {
          type: 'bool',
          description: 'Keep the MFA secrets of the destination where both sides have some.',
          default: false,
        },
      },
      operations: {
        update: {
          summary: 'Merge entities.',
          handler: async (_request, values) => {
            const { to_entity_id: to, from_entity_ids: from = [] } = values;
            if (to === '') return badRequest('missing entity id to merge to');
            if (from.length === 0) return badRequest('missing entity ids to merge from');
            const outcome = await mergeEntities(records, {
              to,
              from,
              keep: values.conflicting_alias_ids_to_keep ?? [],
              force: values.force,
            });
            if (outcome === undefined) return empty;
            if (outcome.clashes === undefined) return badRequest(outcome.refused);
            const clashes = outcome.clashes.map(({ entity, alias }) => ({
              alias: alias.name,
              entity: entity.name,
              entity_id: entity.id,
              mount: mounts(alias.mountAccessor)?.type ?? '',
              mount_path: mounts(alias.mountAccessor)?.path ?? '',
            }));
            return { kind: 'raw', status: 400, body: { errors: [outcome.refused], data: clashes } };
          },
        },
      },
    }),
  ];
}
