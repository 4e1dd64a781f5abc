import { path, type Path } from '../../logical/logical.ts';
import { answer } from './answer.ts';
import { getCrlConfig } from './config.ts';
import type { Pki } from './context.ts';
import { issuerRefField, optionalText } from './path-fields.ts';
import { refusal, Refused } from './refused.ts';

const revokeFields = {
  serial_number: optionalText('Serial number, in hex with colons or dashes.'),
  certificate: optionalText('A certificate in PEM.'),
};

const listFields = {
  ...issuerRefField,
  crl_number: { type: 'int', description: 'Number of the list.', default: 0 },
  delta_crl_base_number: {
    type: 'int',
    description: 'Of a delta: the number of the list that it adds to; -1 for a complete list.',
    default: -1,
  },
  next_update: { type: 'string', description: 'How long the list is valid.', default: '72h' },
  format: { type: 'string', description: 'pem or der.', default: 'pem' },
} as const;

/** Revocation, lists of revoked certificates, and OCSP. */
export function revokePaths(pki: Pki): Path[] {
  return [
    path({
      pattern: 'revoke',
      synopsis: 'Revoke a certificate by serial number or with explicit certificate.',
      fields: revokeFields,
      operations: {
        update: {
          summary: 'Revoke a certificate.',
          handler: async (_request, fields) => (await import('./revocation.ts')).revoke(pki, fields, false),
        },
      },
    }),
    path({
      pattern: 'revoke-with-key',
      synopsis: 'Revoke a certificate with its private key.',
      fields: { ...revokeFields, private_key: optionalText("The certificate's private key in PEM.") },
      operations: {
        update: {
          summary: 'Revoke a certificate whose key one has.',
          handler: async (_request, fields) => (await import('./revocation.ts')).revoke(pki, fields, true),
        },
      },
    }),
    path({
      pattern: 'crl/rotate',
      synopsis: 'Force a rebuild of the CRL.',
      fields: {},
      operations: {
        read: {
          summary: 'Make all lists anew.',
          handler: async () => {
            const { buildCrls } = await import('./crl-build.ts');
            const built = await pki.change((batch) => buildCrls(pki, batch, false));
            return built instanceof Refused ? refusal(built) : answer({ success: true }, told(built));
          },
        },
      },
    }),
    path({
      pattern: 'crl/rotate-delta',
      synopsis: 'Force a rebuild of the delta CRL.',
      fields: {},
      operations: {
        read: {
          summary: 'Make all delta lists anew.',
          handler: async () => {
            const { enable_delta: enabled } = await getCrlConfig(pki.storage);
            if (!enabled) {
              const warning = 'requested rebuild of delta CRL when delta CRL is not enabled; this is a no-op';
              return answer({ success: true }, [warning]);
            }
            const { buildDeltas } = await import('./crl-build.ts');
            const built = await pki.change((batch) => buildDeltas(pki, batch));
            return built instanceof Refused ? refusal(built) : answer({ success: true });
          },
        },
      },
    }),
    path({
      pattern: 'issuer/:issuer_ref/resign-crls',
      synopsis: 'Combine and sign with the provided issuer different CRLs.',
      fields: { ...listFields, crls: { type: 'stringList', description: 'Lists in PEM.', default: [] } },
      operations: {
        update: {
          summary: 'Make one list of several.',
          handler: async (_request, { issuer_ref: ref, ...fields }) =>
            (await import('./resign-crls.ts')).resignCrls(pki, ref, fields),
        },
      },
    }),
    path({
      pattern: 'issuer/:issuer_ref/sign-revocation-list',
      synopsis: 'Generate and sign a CRL based on the provided parameters.',
      fields: {
        ...listFields,
        revoked_certs: {
          type: 'any',
          description: 'Objects of serial_number, revocation_time and extensions.',
          default: [],
        },
        extensions: { type: 'any', description: 'Objects of id, critical and value.', default: [] },
      },
      operations: {
        update: {
          summary: 'Sign a list of given entries.',
          handler: async (_request, { issuer_ref: ref, ...fields }) =>
            (await import('./resign-crls.ts')).signRevocationList(pki, ref, fields),
        },
      },
    }),
    ...['ocsp', 'ocsp/*req'].map((pattern) =>
      path({
        pattern,
        synopsis: "Query a certificate's revocation status through OCSP.",
        fields: {
          req: {
            type: 'string',
            description: 'A request in DER: the body of a POST, or base64 in the path.',
            default: '',
          },
        },
        access: 'unauthenticated',
        operations: {
          [pattern === 'ocsp' ? 'update' : 'read']: {
            summary: 'Ask for the status of a certificate.',
            handler: async (_request: unknown, { req }: { readonly req: string }) =>
              (await import('./ocsp.ts')).answerOcsp(pki, req),
          },
        },
      }),
    ),
  ];
}

function told(warnings: readonly string[]): string[] {
  return warnings.map((text, index) => `Warning ${index + 1} during CRL rebuild: ${text}`);
}
