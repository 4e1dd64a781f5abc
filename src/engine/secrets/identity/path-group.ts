import type { JsonObject } from '../../../lib/json.ts';
import { deleteGroup, type GroupKey, saveGroup } from '../../identity/groups.ts';
import { type Group, isRefusal } from '../../identity/model.ts';
import type { Records } from '../../identity/records.ts';
import type { FieldValues } from '../../logical/fields.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound, type Response } from '../../logical/response.ts';
import { namesBelow } from './path-entity.ts';
import { type Mounts, renderAliasBrief, renderGroup } from './render.ts';

const fields = {
  id: { type: 'string', description: 'ID of the group. If set, updates the corresponding existing group.' },
  type: {
    type: 'string',
    description: "Type of the group, 'internal' or 'external'. Defaults to 'internal'",
  },
  name: { type: 'string', description: 'Name of the group.' },
  metadata: { type: 'stringMap', description: 'Metadata to be associated with the group.' },
  policies: { type: 'commaList', description: 'Policies to be tied to the group.', caseless: true },
  member_group_ids: { type: 'commaList', description: 'Group IDs to be assigned as group members.' },
  member_entity_ids: { type: 'commaList', description: 'Entity IDs to be assigned as group members.' },
} as const;

/** group, group/id and group/name. */
export function groupPaths(records: Records, mounts: Mounts): Path[] {
  const save = async (key: GroupKey, values: FieldValues<typeof fields>): Promise<Response> => {
    const outcome = await saveGroup(records, key, {
      ...values,
      memberEntityIds: values.member_entity_ids,
      memberGroupIds: values.member_group_ids,
    });
    if (isRefusal(outcome)) return badRequest(outcome.refused);
    return outcome.created ? data({ id: outcome.group.id, name: outcome.group.name }) : empty;
  };
  const show = async (group: Group | undefined): Promise<Response> =>
    group === undefined ? notFound : data(await renderGroup(records, mounts, group));
  const remove = async (key: NonNullable<GroupKey>): Promise<Response> => {
    await deleteGroup(records, key);
    return empty;
  };

  return [
    path({
      pattern: 'group',
      synopsis: 'Create a new group.',
      fields,
      operations: {
        update: {
          summary: 'Create or update a group.',
          handler: (_request, values) => {
            if (values.id === '') return badRequest('empty group ID');
            if (values.id !== undefined) return save({ id: values.id }, values);
            if (values.name === '') return badRequest('empty group name');
            return save(values.name === undefined ? undefined : { name: values.name }, values);
          },
        },
      },
    }),
    path({
      pattern: 'group/id',
      synopsis: 'List all the group IDs.',
      fields: {},
      operations: {
        list: { summary: 'List the IDs of the groups.', handler: () => listIds(records, mounts) },
      },
    }),
    path({
      pattern: 'group/id/:id',
      synopsis: 'Update or delete an existing group using its ID.',
      fields: { ...fields, id: { ...fields.id, required: true } },
      operations: {
        read: {
          summary: 'Read a group.',
          handler: async (_request, { id }) => show(await records.group(id)),
        },
        update: {
          summary: 'Update a group.',
          handler: (_request, values) => save({ id: values.id }, values),
        },
        delete: { summary: 'Delete a group.', handler: (_request, { id }) => remove({ id }) },
      },
    }),
    path({
      pattern: 'group/name',
      synopsis: 'List all the group names.',
      fields: {},
      operations: {
        list: {
          summary: 'List the names of the groups.',
          handler: async () => keys(await namesBelow(records, 'group-name/')),
        },
      },
    }),
    path({
      pattern: 'group/name/*name',
      caselessName: true,
      synopsis: 'Update or delete an existing group using its name.',
      fields: { ...fields, name: { ...fields.name, required: true } },
      operations: {
        read: {
          summary: 'Read a group.',
          handler: async (_request, { name }) => show(await records.groupByName(name)),
        },
        update: {
          summary: 'Create or update a group.',
          handler: (_request, values) => save({ name: values.name }, values),
        },
        delete: { summary: 'Delete a group.', handler: (_request, { name }) => remove({ name }) },
      },
    }),
  ];
}

async function listIds(records: Records, mounts: Mounts): Promise<Response> {
  const info: JsonObject = {};
  for (const id of await records.names('group/')) {
    const group = await records.group(id);
    if (group === undefined) continue;
    info[id] = {
      ...(group.alias === null ? {} : { alias: renderAliasBrief(mounts, group.alias) }),
      name: group.name,
      num_member_entities: (await records.entitiesOfGroup(id)).length,
      num_parent_groups: (await records.groupsOfGroup(id)).length,
    };
  }
  return keys(Object.keys(info), { key_info: info });
}
