import type { JsonObject } from '../../../lib/json.ts';
import { type AliasChange, deleteAlias, saveAlias } from '../../identity/aliases.ts';
import { isRefusal } from '../../identity/model.ts';
import type { Records } from '../../identity/records.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound, type Response } from '../../logical/response.ts';
import { type Mounts, renderAliasInfo, renderSingleAlias } from './render.ts';

const fields = {
  id: {
    type: 'string',
    description: 'ID of the entity alias. If set, updates the corresponding entity alias.',
  },
  canonical_id: { type: 'string', description: 'Entity ID to which this alias belongs' },
  entity_id: { type: 'string', description: 'Entity ID to which this alias belongs', deprecated: true },
  mount_accessor: { type: 'string', description: 'Mount accessor to which this alias belongs to' },
  name: { type: 'string', description: 'Name of the alias; unused for a modify' },
  custom_metadata: { type: 'stringMap', description: 'User provided key-value pairs' },
} as const;

/** entity-alias, and alias and persona, its older names. */
export function aliasPaths(records: Records, mounts: Mounts): Path[] {
  return ['entity-alias', 'alias', 'persona'].flatMap((prefix) => rows(prefix, records, mounts));
}

function rows(prefix: string, records: Records, mounts: Mounts): Path[] {
  const save = async (change: AliasChange): Promise<Response> => {
    const outcome = await saveAlias(records, change);
    if (isRefusal(outcome)) return badRequest(outcome.refused);
    const { alias, changed } = outcome;
    return changed ? data({ canonical_id: alias.canonicalId, id: alias.id }) : empty;
  };
  const change = (values: {
    readonly id: string | undefined;
    readonly name: string | undefined;
    readonly mount_accessor: string | undefined;
    readonly canonical_id: string | undefined;
    readonly entity_id: string | undefined;
    readonly custom_metadata: Record<string, string> | undefined;
  }): AliasChange => ({
    id: values.id,
    name: values.name,
    mountAccessor: values.mount_accessor,
    canonicalId: values.canonical_id || values.entity_id,
    customMetadata: values.custom_metadata,
    mount: mounts,
  });

  return [
    path({
      pattern: prefix,
      synopsis: 'Create a new alias.',
      fields,
      operations: {
        update: {
          summary: 'Create or update an alias.',
          handler: (_request, values) => save(change(values)),
        },
      },
    }),
    path({
      pattern: `${prefix}/id`,
      synopsis: 'List all the alias IDs.',
      fields: {},
      operations: {
        list: {
          summary: 'List the IDs of the aliases.',
          handler: async () => {
            const info: JsonObject = {};
            for (const id of await records.names('alias/')) {
              const alias = (await records.entityByAlias(id))?.aliases.find((each) => each.id === id);
              if (alias !== undefined) info[id] = renderAliasInfo(mounts, alias);
            }
            return keys(Object.keys(info), { key_info: info });
          },
        },
      },
    }),
    path({
      pattern: `${prefix}/id/:id`,
      synopsis: 'Update, read or delete an alias ID.',
      fields: { ...fields, id: { ...fields.id, required: true } },
      operations: {
        read: {
          summary: 'Read an alias.',
          handler: async (_request, { id }) => {
            const alias = (await records.entityByAlias(id))?.aliases.find((each) => each.id === id);
            return alias === undefined ? notFound : data(renderSingleAlias(mounts, alias));
          },
        },
        update: { summary: 'Update an alias.', handler: (_request, values) => save(change(values)) },
        delete: {
          summary: 'Delete an alias.',
          handler: async (_request, { id }) => {
            await deleteAlias(records, id);
            return empty;
          },
        },
      },
    }),
  ];
}
