import { toBase64 } from '../../../lib/bytes.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data } from '../../logical/response.ts';
import { isAsymmetric, traitsOf } from './key-type.ts';
import type { KeyVersion } from './key-version.ts';
import { type KeyPolicy, versionFor } from './policy.ts';
import { Refused, refusal, softDeleted } from './refused.ts';
import type { KeyStore } from './store.ts';
import { showVersions } from './versions-asked.ts';
import { oaepHash, wrapKey } from './wrapping.ts';

/** byok-export/: a key wrapped for another vault, whose wrapping key was imported here as the destination. */
export function byokExportPaths(store: KeyStore): Path[] {
  return ['byok-export/:destination/:source', 'byok-export/:destination/:source/:version'].map((pattern) =>
    path({
      pattern,
      synopsis: 'Securely export named encryption or signing key',
      fields: {
        destination: { type: 'string', description: 'Destination key to export to', required: true },
        source: { type: 'string', description: 'Source key to export', required: true },
        version: { type: 'string', description: 'Optional version of the key to export', default: '' },
        hash: {
          type: 'string',
          description: 'Hash function to use for inner OAEP encryption. Defaults to SHA256.',
          default: 'SHA256',
          query: true,
        },
      },
      operations: {
        read: {
          summary: 'Export a key, wrapped.',
          handler: async (_request, fields) => {
            const destination = await store.get(fields.destination);
            if (destination === undefined)
              return badRequest(`no such destination key to export to: ${fields.destination}`);
            const source = await store.get(fields.source);
            if (source === undefined) return badRequest(`no such source key for export: ${fields.source}`);
            if (!source.exportable) return badRequest('key is not exportable');
            if (source.softDeleted || destination.softDeleted) return refusal(softDeleted);
            const hash = oaepHash(fields.hash);
            if (hash instanceof Refused) return refusal(hash);
            const shown = showVersions(source, fields.version, (version) =>
              wrap(destination, source, version, hash, store),
            );
            return shown instanceof Refused
              ? refusal(shown)
              : data({ keys: shown, name: source.name, type: source.type });
          },
        },
      },
    }),
  );
}

function wrap(
  destination: KeyPolicy,
  source: KeyPolicy,
  version: KeyVersion,
  hash: string,
  store: KeyStore,
): string | Refused {
  const chosen = versionFor(destination, 0, 'key wrapping');
  if (chosen instanceof Refused) return chosen;
  const key = chosen.version.publicKey;
  if (traitsOf(destination.type).family !== 'rsa' || key === undefined)
    return new Refused('unsupported key type in use; must be a rsa key');
  const target = isAsymmetric(source.type)
    ? version.privateKey?.export({ type: 'pkcs8', format: 'der' })
    : version.secret?.export();
  if (target === undefined) return new Refused('key version does not have a private counterpart');
  const wrapped = wrapKey(key, target, hash, store.random);
  target.fill(0);
  return toBase64(wrapped);
}
