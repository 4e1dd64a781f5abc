import { path, type Path } from '../../logical/logical.ts';
import { notFound } from '../../logical/response.ts';
import type { Pki } from './context.ts';
import type { Encoding } from './fetch.ts';
import { issuerRefField } from './path-fields.ts';

const list = (description: string) => ({ type: 'commaList', description }) as const;

const issuerFields = {
  ...issuerRefField,
  issuer_name: { type: 'string', description: 'Name of the issuer.' },
  leaf_not_after_behavior: {
    type: 'string',
    description: 'What is done when a certificate would outlive the issuer: err, truncate or permit.',
  },
  manual_chain: list('References of the chain, this issuer first.'),
  usage: list('What the issuer is for: read-only, issuing-certificates, crl-signing, ocsp-signing.'),
  revocation_signature_algorithm: { type: 'string', description: 'How lists are signed.' },
  issuing_certificates: list("URLs of the issuer's certificate."),
  crl_distribution_points: list("URLs of the issuer's list."),
  delta_crl_distribution_points: list("URLs of the issuer's delta list."),
  ocsp_servers: list('URLs of OCSP responders.'),
  enable_aia_url_templating: { type: 'bool', description: 'Whether URLs are templates.' },
} as const;

// A write sets all: what is not given has its default.
const defaults = {
  issuer_name: '',
  leaf_not_after_behavior: 'err',
  manual_chain: [],
  usage: ['read-only', 'issuing-certificates', 'crl-signing', 'ocsp-signing'],
  revocation_signature_algorithm: '',
  issuing_certificates: [],
  crl_distribution_points: [],
  delta_crl_distribution_points: [],
  ocsp_servers: [],
  enable_aia_url_templating: false,
} as const;

/** issuers and issuer/:issuer_ref: the authorities of a mount. */
export function issuerPaths(pki: Pki): Path[] {
  const work = () => import('./issuer-ops.ts');
  return [
    path({
      pattern: 'issuers',
      synopsis: 'Fetch a list of CA certificates.',
      fields: {},
      access: 'unauthenticated',
      operations: {
        list: {
          summary: 'List issuers.',
          handler: async () => (await (await work()).listIssuers(pki)) ?? notFound,
        },
      },
    }),
    path({
      pattern: 'issuer/:issuer_ref',
      synopsis: 'Fetch a single issuer certificate.',
      fields: issuerFields,
      operations: {
        read: {
          summary: 'Read an issuer.',
          handler: async (_request, { issuer_ref: ref }) => (await work()).readIssuer(pki, ref),
        },
        update: {
          summary: 'Write all settings of an issuer.',
          handler: async (_request, { issuer_ref: ref, ...given }) => {
            const change = Object.fromEntries(
              Object.entries(given).filter(([, value]) => value !== undefined),
            );
            return (await work()).writeIssuer(pki, ref, { ...defaults, ...change });
          },
        },
        patch: {
          summary: 'Change some settings of an issuer.',
          handler: async (_request, { issuer_ref: ref, ...change }) =>
            (await work()).writeIssuer(pki, ref, change),
        },
        delete: {
          summary: 'Delete an issuer. Its key stays.',
          handler: async (_request, { issuer_ref: ref }) => (await work()).removeIssuer(pki, ref),
        },
      },
    }),
    path({
      pattern: 'issuer/:issuer_ref/revoke',
      synopsis: 'Revoke the specified issuer certificate.',
      fields: issuerRefField,
      operations: {
        update: {
          summary: 'Revoke an issuer.',
          handler: async (_request, { issuer_ref: ref }) => (await work()).revokeIssuer(pki, ref),
        },
      },
    }),
    ...(['der', 'pem', 'json'] as const).map((encoding) =>
      path({
        pattern: `issuer/:issuer_ref/${encoding}`,
        synopsis: 'Fetch a single issuer certificate.',
        fields: issuerRefField,
        access: 'unauthenticated',
        operations: {
          read: {
            summary: `Read an issuer's certificate as ${encoding}.`,
            handler: async (_request, { issuer_ref: ref }) =>
              (await import('./fetch.ts')).fetchIssuer(pki, ref, encoding),
          },
        },
      }),
    ),
    ...issuerLists.map(([suffix, encoding, delta]) =>
      path({
        pattern: `issuer/:issuer_ref/${suffix}`,
        synopsis: "Fetch an issuer's Certificate Revocation Log (CRL).",
        fields: issuerRefField,
        access: 'unauthenticated',
        operations: {
          read: {
            summary: "Read an issuer's list of revoked certificates.",
            handler: async (_request, { issuer_ref: ref }) =>
              (await import('./fetch.ts')).fetchIssuerCrl(pki, ref, encoding, delta),
          },
        },
      }),
    ),
  ];
}

const issuerLists: readonly (readonly [suffix: string, encoding: Encoding, delta: boolean])[] = [
  ['crl', 'json', false],
  ['crl/der', 'der', false],
  ['crl/pem', 'pem', false],
  ['crl/delta', 'json', true],
  ['crl/delta/der', 'der', true],
  ['crl/delta/pem', 'pem', true],
];
