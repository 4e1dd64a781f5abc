import type { JsonObject } from '../../../lib/json.ts';
import { deleteGroupAlias, saveGroupAlias } from '../../identity/group-aliases.ts';
import { isRefusal } from '../../identity/model.ts';
import type { Records } from '../../identity/records.ts';
import type { FieldValues } from '../../logical/fields.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound, type Response } from '../../logical/response.ts';
import { type Mounts, renderAliasInfo, renderSingleAlias } from './render.ts';

const fields = {
  id: { type: 'string', description: 'ID of the group alias.' },
  name: { type: 'string', description: 'Alias of the group.', default: '' },
  mount_accessor: {
    type: 'string',
    description: 'Mount accessor to which this alias belongs to.',
    default: '',
  },
  canonical_id: {
    type: 'string',
    description: 'ID of the group to which this is an alias.',
    default: '',
  },
} as const;

/** group-alias: what an auth mount calls an external group. */
export function groupAliasPaths(records: Records, mounts: Mounts): Path[] {
  const save = async (values: FieldValues<typeof fields>): Promise<Response> => {
    if (values.id === '') return badRequest('empty group alias ID');
    const outcome = await saveGroupAlias(records, {
      id: values.id,
      name: values.name,
      mountAccessor: values.mount_accessor,
      canonicalId: values.canonical_id,
      mount: mounts,
    });
    if (isRefusal(outcome)) return badRequest(outcome.refused);
    const { alias, changed } = outcome;
    return changed ? data({ canonical_id: alias.canonicalId, id: alias.id }) : empty;
  };
  return [
    path({
      pattern: 'group-alias',
      synopsis: 'Creates a new group alias, or updates an existing one.',
      fields,
      operations: {
        update: { summary: 'Create or update a group alias.', handler: (_request, values) => save(values) },
      },
    }),
    path({
      pattern: 'group-alias/id',
      synopsis: 'List all the group alias IDs.',
      fields: {},
      operations: {
        list: {
          summary: 'List the IDs of the group aliases.',
          handler: async () => {
            const info: JsonObject = {};
            for (const id of await records.names('group-alias/')) {
              const alias = (await records.groupByAlias(id))?.alias ?? undefined;
              if (alias !== undefined) info[id] = renderAliasInfo(mounts, alias);
            }
            return keys(Object.keys(info), { key_info: info });
          },
        },
      },
    }),
    path({
      pattern: 'group-alias/id/:id',
      synopsis: 'Update, read or delete a group alias using ID.',
      fields: { ...fields, id: { ...fields.id, required: true } },
      operations: {
        read: {
          summary: 'Read a group alias.',
          handler: async (_request, { id }) => {
            const alias = (await records.groupByAlias(id))?.alias ?? undefined;
            return alias === undefined ? notFound : data(renderSingleAlias(mounts, alias));
          },
        },
        update: { summary: 'Update a group alias.', handler: (_request, values) => save(values) },
        delete: {
          summary: 'Delete a group alias.',
          handler: async (_request, { id }) => {
            await deleteGroupAlias(records, id);
            return empty;
          },
        },
      },
    }),
  ];
}
