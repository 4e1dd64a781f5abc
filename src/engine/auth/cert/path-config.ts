import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty } from '../../logical/response.ts';
import type { VerifyContext } from './verify.ts';

const MAX_CACHE = 100_000;

/** config: settings of the whole mount. */
export function configPaths({ store, ocsp }: VerifyContext): Path[] {
  return [
    path({
      pattern: 'config',
      synopsis: 'Configure the TLS certificate auth method.',
      fields: {
        disable_binding: {
          type: 'bool',
          description: 'Renew without the certificate of the login.',
        },
        enable_identity_alias_metadata: {
          type: 'bool',
          description: 'Keep the metadata of the certificate with the alias.',
        },
        ocsp_cache_size: { type: 'int', description: 'How many answers of OCSP servers are remembered.' },
      },
      operations: {
        read: {
          summary: 'Read the settings.',
          handler: async () => {
            const config = await store.config();
            return data({
              disable_binding: config.disableBinding,
              enable_identity_alias_metadata: config.aliasMetadata,
              ocsp_cache_size: config.ocspCacheSize,
            });
          },
        },
        update: {
          summary: 'Change the settings.',
          handler: async (_request, values) => {
            const before = await store.config();
            const size = values.ocsp_cache_size ?? before.ocspCacheSize;
            if (size < 2 || size > MAX_CACHE)
              return badRequest(`invalid cache size, must be >= 2 and <= ${MAX_CACHE}`);
            await store.putConfig({
              disableBinding: values.disable_binding ?? before.disableBinding,
              aliasMetadata: values.enable_identity_alias_metadata ?? before.aliasMetadata,
              ocspCacheSize: size,
            });
            ocsp.resize(size);
            return empty;
          },
        },
      },
    }),
  ];
}
