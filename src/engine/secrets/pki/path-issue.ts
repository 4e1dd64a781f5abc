import { path, type Path } from '../../logical/logical.ts';
import type { Pki } from './context.ts';
import {
  csrField,
  issuerRefField,
  leafFields,
  optionalText,
  roleField,
  verbatimFields,
} from './path-fields.ts';

const newKeyFields = {
  key_type: optionalText("Type of the key, where the role's is any."),
  key_bits: { type: 'int', description: "Size of the key, where the role's type is any." } as const,
};

/** issue, sign and sign-verbatim: certificates for everyone but authorities, by a role's issuer or a named one. */
export function issuePaths(pki: Pki): Path[] {
  const work = async () => {
    const { tidyWhenDue } = await import('./tidy.ts');
    await tidyWhenDue(pki);
    return import('./issue.ts');
  };
  const issueFields = { ...roleField, ...issuerRefField, ...leafFields, ...newKeyFields };
  const signFields = { ...roleField, ...issuerRefField, ...leafFields, ...csrField };
  const verbatim = { ...signFields, ...verbatimFields };
  const synopsis = {
    issue: 'Request a certificate using a certain role with the provided details.',
    sign: 'Request certificates using a certain role with the provided details.',
    verbatim: 'Issue a certificate directly based on the provided CSR.',
  };
  return [
    path({
      pattern: 'issue/:role',
      synopsis: synopsis.issue,
      fields: issueFields,
      operations: {
        update: {
          summary: 'Issue a certificate with a new key.',
          handler: async (request, { role, ...fields }) =>
            (await work()).issue(pki, request, role, { ...fields, issuer_ref: undefined }),
        },
      },
    }),
    path({
      pattern: 'issuer/:issuer_ref/issue/:role',
      synopsis: synopsis.issue,
      fields: issueFields,
      operations: {
        update: {
          summary: 'Issue a certificate with a new key by this issuer.',
          handler: async (request, { role, ...fields }) => (await work()).issue(pki, request, role, fields),
        },
      },
    }),
    path({
      pattern: 'sign/:role',
      synopsis: synopsis.sign,
      fields: signFields,
      operations: {
        update: {
          summary: 'Sign a request as a role allows.',
          handler: async (request, { role, ...fields }) =>
            (await work()).sign(pki, request, role, { ...fields, issuer_ref: undefined }),
        },
      },
    }),
    path({
      pattern: 'issuer/:issuer_ref/sign/:role',
      synopsis: synopsis.sign,
      fields: signFields,
      operations: {
        update: {
          summary: 'Sign a request as a role allows by this issuer.',
          handler: async (request, { role, ...fields }) => (await work()).sign(pki, request, role, fields),
        },
      },
    }),
    path({
      pattern: 'sign-verbatim/:role',
      synopsis: synopsis.verbatim,
      fields: verbatim,
      operations: {
        update: {
          summary: 'Sign a request as it is, for the time that a role allows.',
          handler: async (request, { role, ...fields }) =>
            (await work()).signVerbatim(pki, request, { ...fields, issuer_ref: undefined }, role),
        },
      },
    }),
    ...['sign-verbatim', 'issuer/:issuer_ref/sign-verbatim', 'issuer/:issuer_ref/sign-verbatim/:role'].map(
      (pattern) =>
        path({
          pattern,
          synopsis: synopsis.verbatim,
          fields: verbatim,
          operations: {
            update: {
              summary: 'Sign a request as it is by an issuer.',
              handler: async (request, { role, ...fields }) =>
                (await work()).signVerbatim(pki, request, fields, role),
            },
          },
        }),
    ),
  ];
}
