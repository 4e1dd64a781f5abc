import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, notFound } from '../../logical/response.ts';
import { nameField } from './fields.ts';
import { chainPem, type ExportFormat, exportPrivate, exportPublic, exportSecret } from './key-format.ts';
import { encrypts, isAsymmetric, signs, traitsOf } from './key-type.ts';
import type { KeyVersion } from './key-version.ts';
import type { KeyPolicy } from './policy.ts';
import { Refused, refusal, softDeleted } from './refused.ts';
import type { KeyStore } from './store.ts';
import { showVersions } from './versions-asked.ts';

const TYPES = ['encryption-key', 'signing-key', 'hmac-key', 'public-key', 'certificate-chain'] as const;
type ExportType = (typeof TYPES)[number];

/** export/: key material, of keys that were made exportable; public halves of all. */
export function exportPaths(store: KeyStore): Path[] {
  return ['export/:type/:name', 'export/:type/:name/:version'].map((pattern) =>
    path({
      pattern,
      synopsis: 'Export named encryption or signing key',
      description: 'This path is used to export the named keys that are configured as exportable.',
      fields: {
        name: nameField,
        type: {
          type: 'string',
          description:
            'Type of key to export (encryption-key, signing-key, hmac-key, public-key, certificate-chain)',
          required: true,
        },
        version: { type: 'string', description: 'Version of the key', default: '' },
        format: {
          type: 'string',
          description: 'Format to export the key in: empty for the default of the key type, raw, der or pem.',
          default: '',
          query: true,
        },
      },
      operations: {
        read: {
          summary: 'Export a key.',
          handler: async (_request, fields) => {
            const type = TYPES.find((each) => each === fields.type);
            if (type === undefined) return badRequest(`invalid export type: ${fields.type}`);
            const { format } = fields;
            if (!isFormat(format)) return badRequest(`invalid format: ${format}`);
            const policy = await store.get(fields.name);
            if (policy === undefined) return notFound;
            const refused = check(policy, type);
            if (refused !== undefined) return refusal(refused);
            const shown = showVersions(policy, fields.version, (version) =>
              show(policy, version, type, format),
            );
            return shown instanceof Refused
              ? refusal(shown)
              : data({ keys: shown, name: policy.name, type: policy.type });
          },
        },
      },
    }),
  );
}

function isFormat(text: string): text is ExportFormat {
  return ['', 'raw', 'der', 'pem'].includes(text);
}

function check(policy: KeyPolicy, type: ExportType): Refused | undefined {
  if (!policy.exportable && type !== 'public-key' && type !== 'certificate-chain')
    return new Refused('private key material is not exportable');
  if (policy.softDeleted) return softDeleted;
  if (type === 'encryption-key' && !encrypts(policy.type))
    return new Refused('encryption not supported for the key');
  if (type === 'signing-key' && !signs(policy.type)) return new Refused('signing not supported for the key');
  return type === 'certificate-chain' && !signs(policy.type)
    ? new Refused('certificate chain not supported for keys that do not support signing')
    : undefined;
}

function show(
  policy: KeyPolicy,
  version: KeyVersion,
  type: ExportType,
  format: ExportFormat,
): string | Refused {
  switch (type) {
    case 'hmac-key':
      return exportSecret(version.hmac, format);
    case 'encryption-key':
      return traitsOf(policy.type).family === 'aead' && version.secret !== undefined
        ? exportSecret(version.secret, format)
        : exportPrivate(policy, version, format);
    case 'signing-key':
      return exportPrivate(policy, version, format);
    case 'public-key':
      // Half of what a derived Ed25519 key derives from.
      if (!isAsymmetric(policy.type) || policy.derived)
        return new Refused(`unknown key type ${policy.type} for export type public-key`);
      return exportPublic(policy, version, format);
    case 'certificate-chain':
      return version.chain.length === 0
        ? new Refused('selected key version does not have a certificate chain imported')
        : chainPem(version.chain);
  }
}
