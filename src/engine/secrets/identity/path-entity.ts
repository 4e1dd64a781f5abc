import type { JsonObject } from '../../../lib/json.ts';
import { deleteEntities, type EntityChange, saveEntity } from '../../identity/entities.ts';
import { type Entity, isRefusal } from '../../identity/model.ts';
import type { Records } from '../../identity/records.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound, type Response } from '../../logical/response.ts';
import { type Mounts, renderAliasBrief, renderEntity } from './render.ts';

const fields = {
  id: { type: 'string', description: 'ID of the entity. If set, updates the corresponding existing entity.' },
  name: { type: 'string', description: 'Name of the entity' },
  metadata: { type: 'stringMap', description: 'Metadata to be associated with the entity.' },
  policies: { type: 'commaList', description: 'Policies to be tied to the entity.', caseless: true },
  disabled: {
    type: 'bool',
    description:
      'If set true, tokens tied to this identity will not be able to be used (but will not be revoked).',
  },
} as const;

/** entity, entity/id, entity/name and entity/batch-delete. */
export function entityPaths(records: Records, mounts: Mounts): Path[] {
  const save = async (change: EntityChange): Promise<Response> => {
    const outcome = await saveEntity(records, change);
    if (isRefusal(outcome)) return badRequest(outcome.refused);
    const { entity, created } = outcome;
    return created ? data({ aliases: null, id: entity.id, name: entity.name }) : empty;
  };
  const show = async (entity: Entity | undefined): Promise<Response> =>
    entity === undefined ? notFound : data(await renderEntity(records, mounts, entity));

  return [
    path({
      pattern: 'entity',
      synopsis: 'Create a new entity.',
      fields,
      operations: {
        update: { summary: 'Create or update an entity.', handler: (_request, values) => save(values) },
      },
    }),
    path({
      pattern: 'entity/batch-delete',
      synopsis: 'Delete all of the entities provided.',
      fields: { entity_ids: { type: 'commaList', description: 'Entity IDs to delete' } },
      operations: {
        update: {
          summary: 'Delete entities.',
          handler: async (_request, { entity_ids: ids = [] }) => {
            if (ids.length === 0) return badRequest('missing entity ids to delete');
            await deleteEntities(records, ids);
            return empty;
          },
        },
      },
    }),
    path({
      pattern: 'entity/id',
      synopsis: 'List all the entity IDs.',
      fields: {},
      operations: {
        list: { summary: 'List the IDs of the entities.', handler: () => listIds(records, mounts) },
      },
    }),
    path({
      pattern: 'entity/id/:id',
      synopsis: 'Update, read or delete an entity using entity ID.',
      fields: { ...fields, id: { ...fields.id, required: true } },
      operations: {
        read: {
          summary: 'Read an entity.',
          handler: async (_request, { id }) => show(await records.entity(id)),
        },
        update: { summary: 'Update an entity.', handler: (_request, values) => save(values) },
        delete: {
          summary: 'Delete an entity.',
          handler: async (_request, { id }) => {
            await deleteEntities(records, [id]);
            return empty;
          },
        },
      },
    }),
    path({
      pattern: 'entity/name',
      synopsis: 'List all the entity names.',
      fields: {},
      operations: {
        list: {
          summary: 'List the names of the entities.',
          handler: async () => keys(await namesBelow(records, 'entity-name/')),
        },
      },
    }),
    path({
      pattern: 'entity/name/*name',
      caselessName: true,
      synopsis: 'Update, read or delete an entity using entity name.',
      fields: { ...fields, name: { ...fields.name, required: true } },
      operations: {
        read: {
          summary: 'Read an entity.',
          handler: async (_request, { name }) => show(await records.entityByName(name)),
        },
        update: { summary: 'Create or update an entity.', handler: (_request, values) => save(values) },
        delete: {
          summary: 'Delete an entity.',
          handler: async (_request, { name }) => {
            const entity = await records.entityByName(name);
            if (entity !== undefined) await deleteEntities(records, [entity.id]);
            return empty;
          },
        },
      },
    }),
  ];
}

/** The names that an index was made for, as they were given. */
export async function namesBelow(records: Records, prefix: string): Promise<string[]> {
  const found = await records.pointers<{ id: string; name: string }>(prefix);
  return found.map(({ name }) => name);
}

async function listIds(records: Records, mounts: Mounts): Promise<Response> {
  const ids = await records.names('entity/');
  const info: JsonObject = {};
  for (const id of ids) {
    const entity = await records.entity(id);
    if (entity === undefined) continue;
    info[id] = {
      ...(entity.aliases.length === 0
        ? {}
        : { aliases: entity.aliases.map((alias) => renderAliasBrief(mounts, alias)) }),
      name: entity.name,
    };
  }
  return keys(Object.keys(info), { key_info: info });
}
