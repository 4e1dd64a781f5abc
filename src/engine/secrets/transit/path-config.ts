import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data } from '../../logical/response.ts';
import type { KeyStore } from './store.ts';

const MIN_CACHE_SIZE = 10;

/** config/keys and cache-config: settings of the mount. */
export function configPaths(store: KeyStore): Path[] {
  return [
    path({
      pattern: 'config/keys',
      synopsis: 'Configuration common across all keys',
      fields: {
        disable_upsert: {
          type: 'bool',
          description: 'Whether to disallow the creation of keys on the encrypt endpoint.',
          default: false,
        },
      },
      operations: {
        read: {
          summary: 'Read the configuration.',
          handler: async () => data({ disable_upsert: (await store.config()).disableUpsert }),
        },
        update: {
          summary: 'Write the configuration.',
          handler: async (_request, { disable_upsert: disableUpsert }) => {
            await store.setConfig({ disableUpsert });
            return data({ disable_upsert: disableUpsert });
          },
        },
      },
    }),
    path({
      pattern: 'cache-config',
      synopsis: 'Configure caching strategy',
      fields: {
        size: {
          type: 'int',
          description: 'Size of cache, use 0 for an unlimited cache size, defaults to 0',
          default: 0,
        },
      },
      operations: {
        read: {
          summary: 'Returns the size of the active cache',
          handler: async () => data({ size: await store.cacheSize() }),
        },
        update: {
          summary: 'Configures a new cache of the specified size',
          handler: async (_request, { size }) => {
            if (size !== 0 && size < MIN_CACHE_SIZE)
              return badRequest(`size must be 0 or a value greater or equal to ${MIN_CACHE_SIZE}`);
            await store.setCacheSize(size);
            return data({ size });
          },
        },
      },
    }),
  ];
}
