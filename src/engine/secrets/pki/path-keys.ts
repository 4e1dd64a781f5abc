import { path, type Path } from '../../logical/logical.ts';
import { notFound } from '../../logical/response.ts';
import type { Pki } from './context.ts';
import { keyNameField, keyRefField, managedKeyFields } from './path-fields.ts';

/** keys and key/:key_ref: the keys of authorities. */
export function keyPaths(pki: Pki): Path[] {
  const work = () => import('./key-ops.ts');
  return [
    path({
      pattern: 'keys',
      synopsis: 'Fetch a list of all issuer keys.',
      fields: {},
      operations: {
        list: {
          summary: 'List keys.',
          handler: async () => (await (await work()).listKeys(pki)) ?? notFound,
        },
      },
    }),
    ...['internal', 'exported', 'kms'].map((exported) =>
      path({
        pattern: `keys/generate/${exported}`,
        synopsis: 'Generate a new private key used for signing.',
        fields: {
          ...keyNameField,
          key_type: { type: 'string', description: 'rsa, ec or ed25519.', default: 'rsa' },
          key_bits: { type: 'int', description: 'Size of the key; 0 is the usual one.', default: 0 },
          ...managedKeyFields,
        },
        operations: {
          update: {
            summary: 'Generate a key.',
            handler: async (_request, fields) => (await work()).generateNamedKey(pki, exported, fields),
          },
        },
      }),
    ),
    path({
      pattern: 'keys/import',
      synopsis: 'Import the specified key.',
      fields: {
        ...keyNameField,
        pem_bundle: { type: 'string', description: 'A private key in PEM.', default: '' },
      },
      operations: {
        update: {
          summary: 'Take a key in.',
          handler: async (_request, { pem_bundle: pem, key_name: name }) =>
            (await work()).importNamedKey(pki, pem, name),
        },
      },
    }),
    path({
      pattern: 'key/:key_ref',
      synopsis: 'Fetch a single issuer key.',
      fields: { ...keyRefField, ...keyNameField },
      operations: {
        read: {
          summary: 'Read what a key is; never the key.',
          handler: async (_request, { key_ref: ref }) => (await work()).readKey(pki, ref),
        },
        update: {
          summary: 'Give a key a name.',
          handler: async (_request, { key_ref: ref, key_name: name }) =>
            (await work()).nameKey(pki, ref, name),
        },
        delete: {
          summary: 'Delete a key that no issuer uses.',
          handler: async (_request, { key_ref: ref }) => (await work()).removeKey(pki, ref),
        },
      },
    }),
  ];
}
