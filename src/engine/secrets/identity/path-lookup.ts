import type { Entity, Group } from '../../identity/model.ts';
import type { Records } from '../../identity/records.ts';
import type { FieldValues } from '../../logical/fields.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty } from '../../logical/response.ts';
import { type Mounts, renderEntity, renderGroup } from './render.ts';

const fields = (noun: string) =>
  ({
    id: { type: 'string', description: `ID of the ${noun}.` },
    name: { type: 'string', description: `Name of the ${noun}.` },
    alias_id: { type: 'string', description: 'ID of the alias.' },
    alias_name: {
      type: 'string',
      description: "Name of the alias. This should be supplied in conjunction with 'alias_mount_accessor'.",
    },
    alias_mount_accessor: {
      type: 'string',
      description:
        "Accessor of the mount to which the alias belongs to. This should be supplied in conjunction with 'alias_name'.",
    },
  }) as const;

type Query = FieldValues<ReturnType<typeof fields>>;

/** lookup/entity and lookup/group: by id, name or alias. */
export function lookupPaths(records: Records, mounts: Mounts): Path[] {
  return [
    path({
      pattern: 'lookup/entity',
      synopsis: 'Query entities based on various properties.',
      fields: fields('entity'),
      operations: {
        update: {
          summary: 'Look up an entity.',
          handler: async (_request, query) => {
            const refused = check(query);
            if (refused !== undefined) return badRequest(refused);
            const entity = await findEntity(records, query);
            return entity === undefined ? empty : data(await renderEntity(records, mounts, entity));
          },
        },
      },
    }),
    path({
      pattern: 'lookup/group',
      synopsis: 'Query groups based on various properties.',
      fields: fields('group'),
      operations: {
        update: {
          summary: 'Look up a group.',
          handler: async (_request, query) => {
            const refused = check(query);
            if (refused !== undefined) return badRequest(refused);
            const group = await findGroup(records, query);
            return group === undefined ? empty : data(await renderGroup(records, mounts, group));
          },
        },
      },
    }),
  ];
}

function check(query: Query): string | undefined {
  const count = Object.values(query).filter((value) => value !== undefined).length;
  const { alias_name: name, alias_mount_accessor: accessor } = query;
  if (count === 0) return 'query parameter not supplied';
  if (count === 1)
    return name || accessor ? "both 'alias_name' and 'alias_mount_accessor' needs to be set" : undefined;
  return count === 2 && name && accessor
    ? undefined
    : 'query parameter conflict; please supply distinct set of query parameters';
}

async function findEntity(records: Records, query: Query): Promise<Entity | undefined> {
  if (query.id !== undefined) return records.entity(query.id);
  if (query.name !== undefined) return records.entityByName(query.name);
  if (query.alias_id !== undefined) return records.entityByAlias(query.alias_id);
  return records.entityByFactors(query.alias_mount_accessor ?? '', query.alias_name ?? '');
}

async function findGroup(records: Records, query: Query): Promise<Group | undefined> {
  if (query.id !== undefined) return records.group(query.id);
  if (query.name !== undefined) return records.groupByName(query.name);
  if (query.alias_id !== undefined) return records.groupByAlias(query.alias_id);
  return records.groupByFactors(query.alias_mount_accessor ?? '', query.alias_name ?? '');
}
