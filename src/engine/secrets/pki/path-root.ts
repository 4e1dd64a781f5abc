import { path, type Path } from '../../logical/logical.ts';
import type { Pki } from './context.ts';
import {
  intermediateFields,
  issuerRefField,
  optionalText,
  rootFields,
  signIntermediateFields,
} from './path-fields.ts';

const exportedField = {
  exported: {
    type: 'string',
    description: 'Whether the key is internal, exported with the answer, or existing.',
    default: '',
  },
} as const;

const certificateFields = {
  certificate: { type: 'string', description: 'A self-issued certificate in PEM.', default: '' },
  require_matching_certificate_algorithms: {
    type: 'bool',
    description: 'Whether both keys must be of one type.',
    default: false,
  },
} as const;

/** Roots, intermediates, and what authorities sign of other authorities. */
export function rootPaths(pki: Pki): Path[] {
  return [
    path({
      pattern: 'root',
      synopsis: 'Deletes the root CA key to allow a new one to be generated.',
      fields: {},
      access: 'sudo',
      operations: {
        delete: {
          summary: 'Delete all issuers and keys.',
          handler: async () => (await import('./root.ts')).deleteRoot(pki),
        },
      },
    }),
    ...['root/generate/:exported', 'root/rotate/:exported', 'issuers/generate/root/:exported'].map(
      (pattern) =>
        path({
          pattern,
          synopsis: 'Generate a new CA certificate and private key used for signing.',
          fields: { ...exportedField, ...rootFields },
          operations: {
            update: {
              summary: 'Generate a root.',
              handler: async (request, fields) => {
                const { generateRoot } = await import('./root.ts');
                return generateRoot(pki, request, fields, pattern.startsWith('root/rotate/'));
              },
            },
          },
        }),
    ),
    ...[
      'intermediate/generate/:exported',
      'issuers/generate/intermediate/:exported',
      'intermediate/cross-sign',
    ].map((pattern) =>
      path({
        pattern,
        synopsis: 'Generate a new CSR and private key used for signing.',
        fields: { ...exportedField, ...intermediateFields },
        operations: {
          update: {
            summary: 'Generate a signing request for an authority.',
            handler: async (_request, fields) => {
              const { generateIntermediate } = await import('./intermediate.ts');
              const exported = pattern.endsWith('cross-sign') ? 'existing' : fields.exported;
              return generateIntermediate(pki, { ...fields, exported });
            },
          },
        },
      }),
    ),
    ...['root/sign-intermediate', 'issuer/:issuer_ref/sign-intermediate'].map((pattern) =>
      path({
        pattern,
        synopsis: 'Issue an intermediate CA certificate based on the provided CSR.',
        fields: { ...issuerRefField, ...signIntermediateFields },
        operations: {
          update: {
            summary: "Sign another authority's request.",
            handler: async (request, { issuer_ref: ref, ...fields }) => {
              const { signIntermediate } = await import('./intermediate.ts');
              return signIntermediate(pki, request, ref, fields);
            },
          },
        },
      }),
    ),
    ...['root/sign-self-issued', 'issuer/:issuer_ref/sign-self-issued'].map((pattern) =>
      path({
        pattern,
        synopsis: 'Re-issue a self-signed certificate based on the provided certificate.',
        fields: { ...issuerRefField, ...certificateFields },
        ...(pattern.startsWith('root/') ? { access: 'sudo' as const } : {}),
        operations: {
          update: {
            summary: "Sign another root's certificate.",
            handler: async (_request, fields) => {
              const { signSelfIssued } = await import('./sign-self-issued.ts');
              const { issuer_ref: ref, certificate, require_matching_certificate_algorithms: same } = fields;
              return signSelfIssued(pki, ref, certificate, same);
            },
          },
        },
      }),
    ),
    path({
      pattern: 'intermediate/set-signed',
      synopsis: 'Provide the signed intermediate CA cert.',
      fields: { certificate: optionalText('The signed certificate, with those above it, in PEM.') },
      operations: {
        update: {
          summary: 'Take the certificate of a generated key in.',
          handler: async (_request, { certificate = '' }) =>
            (await import('./import-bundle.ts')).importBundle(pki, certificate, false),
        },
      },
    }),
    ...['config/ca', 'issuers/import/bundle', 'issuers/import/cert'].map((pattern) =>
      path({
        pattern,
        synopsis: 'Import the specified issuing certificates.',
        fields: { pem_bundle: optionalText('Certificates, and keys where they are allowed, in PEM.') },
        operations: {
          update: {
            summary: "Take authorities' certificates and keys in.",
            handler: async (_request, { pem_bundle: pem = '' }) => {
              const { importBundle } = await import('./import-bundle.ts');
              return importBundle(pki, pem, !pattern.endsWith('/cert'));
            },
          },
        },
      }),
    ),
  ];
}
