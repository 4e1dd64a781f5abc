import type { JsonObject } from '../../../../../lib/json.ts';
import { type Path, path } from '../../../../logical/logical.ts';
import { badRequest, data, empty, keys as listed, notFound } from '../../../../logical/response.ts';
import type { Oidc } from '../context.ts';
import { EXPLICIT_ISSUER, INVALID_ISSUER, isOrigin } from '../path-config.ts';
import { ALGORITHMS } from '../signing.ts';
import { allows, findProvider, providerIssuer } from './lookup.ts';
import { DEFAULT_PROVIDER, OPENID, type Provider } from './model.ts';

/** oidc/provider: issuers, and what relying parties read of them without a token. */
export function providerPaths(oidc: Oidc): Path[] {
  const { clients, keys, providers, scopes } = oidc;
  const name = { type: 'string', description: 'Name of the provider', required: true } as const;
  const render = (named: string, provider: Provider): JsonObject => ({
    allowed_client_ids: [...provider.allowedClientIds],
    issuer: providerIssuer(oidc, named, provider),
    scopes_supported: [...provider.scopesSupported],
  });
  return [
    path({
      pattern: 'oidc/provider',
      synopsis: 'List OIDC providers',
      fields: {
        allowed_client_id: {
          type: 'string',
          description: 'Filters the list of OIDC providers to those that allow the given client ID.',
          default: '',
          query: true,
        },
      },
      operations: {
        list: {
          summary: 'List the names of the providers.',
          handler: async (_request, { allowed_client_id: clientId }) => {
            const info: JsonObject = {};
            for (const each of new Set([...(await providers.names()), DEFAULT_PROVIDER].toSorted())) {
              const provider = await findProvider(oidc, each);
              if (provider !== undefined && (clientId === '' || allows(provider, clientId)))
                info[each] = render(each, provider);
            }
            return listed(Object.keys(info), { key_info: info });
          },
        },
      },
    }),
    path({
      pattern: 'oidc/provider/:name',
      synopsis: 'CRUD operations for OIDC providers.',
      fields: {
        name,
        issuer: {
          type: 'string',
          description: 'Specifies what will be used for the iss claim of ID tokens.',
        },
        allowed_client_ids: {
          type: 'commaList',
          description: 'The client IDs that are permitted to use the provider; * for all.',
        },
        scopes_supported: {
          type: 'commaList',
          description: 'The scopes supported for requesting on the provider',
        },
      },
      exists: async (_request, values) => (await findProvider(oidc, values.name)) !== undefined,
      operations: {
        read: {
          summary: 'Read a provider.',
          handler: async (_request, values) => {
            const provider = await findProvider(oidc, values.name);
            return provider === undefined ? notFound : data(render(values.name, provider));
          },
        },
        update: {
          summary: 'Create or update a provider.',
          handler: (_request, values) =>
            oidc.exclusive(async () => {
              const before = await findProvider(oidc, values.name);
              const issuer = values.issuer ?? before?.issuer ?? '';
              if (issuer !== '' && !isOrigin(issuer)) return badRequest(INVALID_ISSUER);
              const scopesSupported = [...new Set(values.scopes_supported ?? before?.scopesSupported ?? [])];
              for (const scope of scopesSupported)
                if ((await scopes.get(scope)) === undefined)
                  return badRequest(`scope ${JSON.stringify(scope)} does not exist`);
              const allowed = values.allowed_client_ids ?? before?.allowedClientIds ?? [];
              const allowedClientIds = [...new Set(allowed)];
              await providers.put(values.name, { issuer, allowedClientIds, scopesSupported });
              return issuer === '' ? empty : data(null, [EXPLICIT_ISSUER]);
            }),
        },
        delete: {
          summary: 'Delete a provider.',
          handler: async (_request, values) => {
            if (values.name === DEFAULT_PROVIDER) {
              return badRequest(`deletion of OIDC provider ${JSON.stringify(DEFAULT_PROVIDER)} not allowed`);
            }
            await providers.delete(values.name);
            return empty;
          },
        },
      },
    }),
    path({
      pattern: 'oidc/provider/:name/.well-known/openid-configuration',
      synopsis: 'Query OIDC configurations',
      access: 'unauthenticated',
      fields: { name },
      operations: {
        read: {
          summary: 'Read what relying parties need to know.',
          handler: async (_request, values) => {
            const provider = await findProvider(oidc, values.name);
            if (provider === undefined) return notFound;
            return {
              kind: 'raw',
              status: 200,
              body: discovery(providerIssuer(oidc, values.name, provider), provider),
            };
          },
        },
      },
    }),
    path({
      pattern: 'oidc/provider/:name/.well-known/keys',
      synopsis: 'Retrieve public keys',
      access: 'unauthenticated',
      fields: { name },
      operations: {
        read: {
          summary: 'Read the public keys.',
          handler: async (_request, values) => {
            const provider = await findProvider(oidc, values.name);
            if (provider === undefined) return notFound;
            const names = (await clients.entries())
              .filter(([, { clientId }]) => allows(provider, clientId))
              .map(([, { key }]) => key);
            const found = await keys.publicKeys(names);
            return { kind: 'raw', status: 200, body: { keys: found.map((key) => ({ ...key })) } };
          },
        },
      },
    }),
  ];
}

function discovery(issuer: string, { scopesSupported }: Provider): JsonObject {
  return {
    issuer,
    jwks_uri: `${issuer}/.well-known/keys`,
    authorization_endpoint: `${issuer.replace('/v1/', '/ui/vault/')}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    id_token_signing_alg_values_supported: [...ALGORITHMS],
    response_types_supported: ['code'],
    scopes_supported: [...scopesSupported, OPENID],
    claims_supported: [],
    subject_types_supported: ['public'],
    grant_types_supported: ['authorization_code', 'client_credentials'],
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post'],
    code_challenge_methods_supported: ['plain', 'S256'],
  };
}
