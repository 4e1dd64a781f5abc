import { type Path, path } from '../../../logical/logical.ts';
import { badRequest, data, empty } from '../../../logical/response.ts';
import { issuerOf, type Oidc } from './context.ts';
import { ALGORITHMS } from './signing.ts';

/** oidc/config, and what relying parties read without a token. */
export function configPaths(oidc: Oidc): Path[] {
  return [
    path({
      pattern: 'oidc/config',
      synopsis: 'OIDC configuration',
      fields: {
        issuer: { type: 'string', description: 'Issuer URL to be used in the iss claim of the token.' },
      },
      operations: {
        read: {
          summary: 'Read the OIDC configuration.',
          handler: async () => {
            const issuer = (await oidc.config.get('config'))?.issuer ?? '';
            const unreachable = issuer === '' && oidc.apiAddress === '';
            return data({ issuer }, unreachable ? [UNREACHABLE] : undefined);
          },
        },
        update: {
          summary: 'Configure OIDC.',
          handler: async (_request, { issuer }) => {
            if (issuer === undefined) return empty;
            if (issuer !== '' && !isOrigin(issuer)) {
              return badRequest(INVALID_ISSUER);
            }
            await oidc.config.put('config', { issuer });
            return issuer === '' ? empty : data(null, [EXPLICIT_ISSUER]);
          },
        },
      },
    }),
    path({
      pattern: 'oidc/.well-known/openid-configuration',
      synopsis: 'Query OIDC configurations',
      access: 'unauthenticated',
      fields: {},
      operations: {
        read: {
          summary: 'Read what relying parties need to know.',
          handler: async () => {
            const issuer = await issuerOf(oidc);
            return {
              kind: 'raw',
              status: 200,
              body: {
                issuer,
                jwks_uri: `${issuer}/.well-known/keys`,
                response_types_supported: ['id_token'],
                subject_types_supported: ['public'],
                id_token_signing_alg_values_supported: [...ALGORITHMS],
              },
            };
          },
        },
      },
    }),
    path({
      pattern: 'oidc/.well-known/keys',
      synopsis: 'Retrieve public keys',
      access: 'unauthenticated',
      fields: {},
      operations: {
        read: {
          summary: 'Read the public keys.',
          handler: async () => {
            const roles = await oidc.roles.entries();
            const keys = await oidc.keys.publicKeys(roles.map(([, { key }]) => key));
            return { kind: 'raw', status: 200, body: { keys: keys.map((key) => ({ ...key })) } };
          },
        },
      },
    }),
  ];
}

/** The refusal of an issuer. */
export const INVALID_ISSUER: string =
  'invalid issuer, which must include only a scheme, host, and optional port (e.g. https://example.com:8200)';
const UNREACHABLE =
  'Both "issuer" and the "api_addr" of this server are empty. The issuer claim in generated tokens will not be network reachable.';
/** The warning about an issuer that is set. */
export const EXPLICIT_ISSUER: string =
  'If "issuer" is set explicitly, all tokens must be validated against that address, including those issued by secondary clusters. Setting issuer to "" will restore the default behavior of using the cluster\'s api_addr as the issuer.';

/** Scheme, host and port, and nothing more. */
export function isOrigin(text: string): boolean {
  return /^https?:\/\/[^/?#@\s]+$/.test(text) && URL.canParse(text);
}
