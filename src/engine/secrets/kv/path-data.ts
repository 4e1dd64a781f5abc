import { isJsonObject, type JsonObject, member } from '../../../lib/json.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, notFound, type Response } from '../../logical/response.ts';
import { atRoot, mergePatch, subkeys, versionMetadata } from './render.ts';
import type { KeyMetadata, KvStore } from './store.ts';

const pathField = { type: 'string', description: 'Location of the secret.', required: true } as const;
const versionField = {
  type: 'int',
  description: 'If provided during a read, the value at the version number will be returned',
  query: true,
  default: 0,
} as const;

/** data/ and subkeys/: the values themselves. */
export function dataPaths(store: KvStore): Path[] {
  const read = async (
    name: string,
    version: number,
    render: (value: JsonObject) => JsonObject,
    emptied: JsonObject,
  ): Promise<Response> => {
    if (name === '') return atRoot;
    const metadata = await store.metadata(name);
    if (metadata === undefined) return notFound;
    const wanted = version === 0 ? metadata.currentVersion : version;
    const state = metadata.versions[wanted];
    if (state === undefined) return notFound;
    const about = versionMetadata(metadata, wanted, state);
    if (store.isGone(state)) {
      return { kind: 'refusal', status: 404, errors: [], data: { ...emptied, metadata: about } };
    }
    const value = await store.value(metadata, wanted);
    return value === undefined ? notFound : data({ ...render(value), metadata: about });
  };

  return [
    path({
      pattern: 'data/*path',
      synopsis: 'Write, Patch, Read, and Delete data in the Key-Value Store.',
      fields: {
        path: pathField,
        version: versionField,
        options: { type: 'object', description: 'Options for writing a KV entry, such as "cas".' },
        data: {
          type: 'object',
          description: 'The contents of the data map will be stored and returned on read.',
        },
      },
      exists: async (_request, fields) => {
        const metadata = await store.metadata(fields.path);
        const state = metadata?.versions[metadata.currentVersion];
        return metadata !== undefined && state !== undefined && !store.isGone(state);
      },
      operations: {
        read: {
          summary: 'Read a version of the secret.',
          handler: (_request, fields) =>
            read(fields.path, fields.version, (value) => ({ data: value }), { data: null }),
        },
        update: {
          summary: 'Write a new version.',
          handler: (_request, fields) => {
            const value = fields.data;
            if (fields.path === '') return atRoot;
            if (value === undefined) return badRequest('no data provided');
            return store.exclusive(fields.path, async () => {
              const metadata = (await store.metadata(fields.path)) ?? store.fresh();
              const refused = await checkAndSet(store, metadata, fields.options);
              return refused ?? written(await store.addVersion(fields.path, metadata, value));
            });
          },
        },
        patch: {
          summary: 'Merge into the current version (RFC 7396) and write the result as a new one.',
          handler: (_request, fields) => {
            const patch = fields.data;
            if (fields.path === '') return atRoot;
            if (patch === undefined) return badRequest('no data provided');
            return store.exclusive(fields.path, async () => {
              const metadata = await store.metadata(fields.path);
              const state = metadata?.versions[metadata.currentVersion];
              if (metadata === undefined || state === undefined) return notFound;
              if (store.isGone(state)) {
                const about = versionMetadata(metadata, metadata.currentVersion, state);
                return { kind: 'refusal', status: 404, errors: [], data: { data: null, metadata: about } };
              }
              const refused = await checkAndSet(store, metadata, fields.options);
              if (refused !== undefined) return refused;
              const current = (await store.value(metadata, metadata.currentVersion)) ?? {};
              const merged = mergePatch(current, patch);
              return written(
                await store.addVersion(fields.path, metadata, isJsonObject(merged) ? merged : {}),
              );
            });
          },
        },
        delete: {
          summary: 'Mark the current version as deleted; it can be undeleted.',
          handler: (_request, fields) => {
            if (fields.path === '') return atRoot;
            return store.exclusive(fields.path, async () => {
              const metadata = await store.metadata(fields.path);
              const state = metadata?.versions[metadata.currentVersion];
              if (metadata === undefined || state === undefined || store.isGone(state)) return empty;
              const versions = {
                ...metadata.versions,
                [metadata.currentVersion]: { ...state, deletionTime: store.now() },
              };
              await store.saveMetadata(fields.path, { ...metadata, versions });
              return empty;
            });
          },
        },
      },
    }),
    path({
      pattern: 'subkeys/*path',
      synopsis: 'Read the structure of a secret entry from the Key-Value store with the values removed.',
      fields: {
        path: pathField,
        version: versionField,
        depth: {
          type: 'int',
          description: 'Deepest nesting level to provide in the output.',
          query: true,
          default: 0,
        },
      },
      operations: {
        read: {
          summary: 'Read the key names of a version.',
          handler: (_request, fields) =>
            read(fields.path, fields.version, (value) => ({ subkeys: subkeys(value, fields.depth) }), {
              subkeys: null,
            }),
        },
      },
    }),
  ];
}

async function checkAndSet(
  store: KvStore,
  metadata: KeyMetadata,
  options: JsonObject | undefined,
): Promise<Response | undefined> {
  const cas = options === undefined ? undefined : member(options, 'cas');
  if (cas === undefined || cas === null) {
    const required = metadata.casRequired || (await store.config()).casRequired;
    return required ? badRequest('check-and-set parameter required for this call') : undefined;
  }
  const version = typeof cas === 'string' && /^\d+$/.test(cas) ? Number(cas) : cas;
  if (typeof version !== 'number' || !Number.isInteger(version))
    return badRequest('error parsing check-and-set parameter');
  return version === metadata.currentVersion
    ? undefined
    : badRequest('check-and-set parameter did not match the current version');
}

function written(metadata: KeyMetadata): Response {
  const state = metadata.versions[metadata.currentVersion];
  return state === undefined ? empty : data(versionMetadata(metadata, metadata.currentVersion, state));
}
