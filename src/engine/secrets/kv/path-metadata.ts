import type { JsonObject } from '../../../lib/json.ts';
import { isJsonObject, member } from '../../../lib/json.ts';
import type { FieldValues } from '../../logical/fields.ts';
import { type Path, path } from '../../logical/logical.ts';
import { readPage } from '../../logical/page.ts';
import { badRequest, data, empty, keys, notFound, type Response } from '../../logical/response.ts';
import { atRoot, checkCustomMetadata, keyMetadata } from './render.ts';
import type { KeyMetadata, KvStore } from './store.ts';

const fields = {
  path: { type: 'string', description: 'Location of the secret.', required: true },
  cas_required: {
    type: 'bool',
    description: 'If true the key will require the cas parameter to be set on all write requests.',
  },
  custom_metadata: {
    type: 'object',
    description:
      'User-provided key-value pairs that are used to describe arbitrary and version-agnostic information about a secret.',
  },
  delete_version_after: { type: 'duration', description: 'The length of time before a version is deleted.' },
  max_versions: { type: 'int', description: 'The number of versions to keep.' },
  metadata_cas: { type: 'int', description: 'The metadata version this write is based on.' },
  metadata_cas_required: {
    type: 'bool',
    description: 'If true the key will require metadata_cas on all metadata writes.',
  },
} as const;

/** metadata/ and detailed-metadata/: everything about a key but its values. */
export function metadataPaths(store: KvStore): Path[] {
  const save = (name: string, values: FieldValues<typeof fields>, patch: boolean): Promise<Response> =>
    store.exclusive(name, async () => {
      const existing = await store.metadata(name);
      if (existing === undefined && patch) return notFound;
      const metadata = existing ?? store.fresh();
      const refused = await checkMetadataCas(store, metadata, values.metadata_cas);
      if (refused !== undefined) return refused;
      const custom = customMetadata(metadata, values.custom_metadata, patch);
      if (typeof custom === 'string') return badRequest(custom);
      await store.saveMetadata(name, {
        ...metadata,
        casRequired: values.cas_required ?? metadata.casRequired,
        metadataCasRequired: values.metadata_cas_required ?? metadata.metadataCasRequired,
        deleteVersionAfter: values.delete_version_after ?? metadata.deleteVersionAfter,
        maxVersions: values.max_versions ?? metadata.maxVersions,
        customMetadata: custom,
        currentMetadataVersion: metadata.currentMetadataVersion + 1,
        updatedTime: store.now(),
      });
      return empty;
    });

  return [
    path({
      pattern: 'metadata/*path',
      synopsis: 'Configures settings for the KV store',
      fields,
      exists: async (_request, values) => (await store.metadata(values.path)) !== undefined,
      operations: {
        read: {
          summary: 'Read the metadata and versions of a key.',
          handler: async (_request, values) => {
            if (values.path === '') return atRoot;
            const metadata = await store.metadata(values.path);
            return metadata === undefined ? notFound : data(keyMetadata(metadata));
          },
        },
        list: {
          summary: 'List key names.',
          handler: async ({ query }, values) => keys(await store.list(values.path, readPage(query))),
        },
        update: {
          summary: 'Create or update the metadata of a key.',
          handler: (_request, values) => (values.path === '' ? atRoot : save(values.path, values, false)),
        },
        patch: {
          summary: 'Change some of the metadata of a key.',
          handler: (_request, values) => (values.path === '' ? atRoot : save(values.path, values, true)),
        },
        delete: {
          summary: 'Delete a key with all its versions.',
          handler: (_request, values) =>
            values.path === ''
              ? atRoot
              : store.exclusive(values.path, async () => {
                  const metadata = await store.metadata(values.path);
                  if (metadata !== undefined) await store.remove(values.path, metadata);
                  return empty;
                }),
        },
      },
    }),
    path({
      pattern: 'detailed-metadata/*path',
      synopsis: 'List key names together with their metadata.',
      fields: { path: fields.path },
      operations: {
        list: {
          summary: 'List key names with their metadata.',
          handler: async ({ query }, values) => {
            const prefix = values.path === '' || values.path.endsWith('/') ? values.path : `${values.path}/`;
            const names = await store.list(values.path, readPage(query));
            const info: JsonObject = {};
            for (const name of names) {
              const metadata = name.endsWith('/') ? undefined : await store.metadata(prefix + name);
              if (metadata !== undefined) info[name] = keyMetadata(metadata);
            }
            return keys(names, { key_info: info });
          },
        },
      },
    }),
  ];
}

async function checkMetadataCas(
  store: KvStore,
  metadata: KeyMetadata,
  cas: number | undefined,
): Promise<Response | undefined> {
  if (cas === undefined) {
    const required = metadata.metadataCasRequired || (await store.config()).metadataCasRequired;
    return required ? badRequest('metadata check-and-set parameter required for this call') : undefined;
  }
  return cas === metadata.currentMetadataVersion
    ? undefined
    : badRequest('metadata check-and-set parameter did not match the current version');
}

// A write replaces custom metadata; a patch merges, and null removes.
function customMetadata(
  metadata: KeyMetadata,
  given: JsonObject | undefined,
  patch: boolean,
): KeyMetadata['customMetadata'] | string {
  if (given === undefined) return metadata.customMetadata;
  const merged: Record<string, string> = patch ? { ...metadata.customMetadata } : {};
  for (const key of Object.keys(given)) {
    const value = member(given, key) ?? null;
    if (value === null && patch) delete merged[key];
    else if (typeof value === 'string')
      Object.defineProperty(merged, key, { value, enumerable: true, writable: true, configurable: true });
    else if (isJsonObject(value) || Array.isArray(value) || value === null)
      return 'custom_metadata validation failed: values must be text';
    else merged[key] = JSON.isRawJSON(value) ? value.rawJSON : String(value);
  }
  return checkCustomMetadata(merged) ?? (Object.keys(merged).length === 0 ? null : merged);
}
