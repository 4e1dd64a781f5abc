import type { Clock } from '../../../lib/clock.ts';
import { formatDuration } from '../../../lib/duration.ts';
import type { Random } from '../../../lib/random.ts';
import { type Backend, path, PathTable } from '../../logical/logical.ts';
import { data, empty, type Response } from '../../logical/response.ts';
import type { Storage } from '../../logical/storage.ts';
import { dataPaths } from './path-data.ts';
import { metadataPaths } from './path-metadata.ts';
import { versionPaths } from './path-versions.ts';
import { KvStore } from './store.ts';

// The hint names what the command line has for the operation.
function wrongPath(command: 'get' | 'put' | 'delete' | 'list'): Response {
  return {
    kind: 'data',
    data: null,
    status: 404,
    warnings: [
      `Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. If using the Vault CLI, use 'vault kv ${command}' for this operation.`,
    ],
  };
}

/** KV version 2: numbered versions with check-and-set, soft deletion and metadata. */
export function createKvV2(storage: Storage, clock: Clock, random: Random): Backend {
  const store = new KvStore(storage, clock, random);
  return {
    type: 'kv',
    paths: new PathTable([
      path({
        pattern: 'config',
        synopsis: 'Configures settings for the KV store',
        fields: {
          max_versions: {
            type: 'int',
            description: 'The number of versions to keep for each key. Defaults to 10',
          },
          cas_required: {
            type: 'bool',
            description: 'If true, the backend will require the cas parameter to be set for each write',
          },
          metadata_cas_required: { type: 'bool', description: 'If true, metadata writes need metadata_cas' },
          delete_version_after: {
            type: 'duration',
            signed: true,
            description:
              'If set, the length of time before a version is deleted. A negative duration disables it for all keys.',
          },
        },
        operations: {
          read: {
            summary: 'Read the backend level settings.',
            handler: async () => {
              const config = await store.config();
              return data({
                cas_required: config.casRequired,
                delete_version_after: formatDuration(config.deleteVersionAfter),
                max_versions: config.maxVersions,
                metadata_cas_required: config.metadataCasRequired,
              });
            },
          },
          update: {
            summary: 'Configure backend level settings that are applied to every key in the key-value store.',
            handler: async (_request, fields) => {
              const config = await store.config();
              await store.setConfig({
                maxVersions: fields.max_versions ?? config.maxVersions,
                casRequired: fields.cas_required ?? config.casRequired,
                metadataCasRequired: fields.metadata_cas_required ?? config.metadataCasRequired,
                deleteVersionAfter: fields.delete_version_after ?? config.deleteVersionAfter,
              });
              return empty;
            },
          },
        },
      }),
      ...dataPaths(store),
      ...metadataPaths(store),
      ...versionPaths(store),
      path({
        pattern: '*rest',
        arbitrary: true,
        synopsis: 'Explains paths that a versioned store does not have.',
        fields: {},
        operations: {
          read: { summary: 'Explain.', handler: () => wrongPath('get') },
          update: { summary: 'Explain.', handler: () => wrongPath('put') },
          delete: { summary: 'Explain.', handler: () => wrongPath('delete') },
          list: { summary: 'Explain.', handler: () => wrongPath('list') },
        },
      }),
    ]),
  };
}
