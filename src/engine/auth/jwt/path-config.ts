import { createPublicKey } from 'node:crypto';
import { isJsonObject, type Json, type JsonObject } from '../../../lib/json.ts';
import { ALGORITHMS } from '../../../lib/jwt/verify.ts';
import type { FieldValues } from '../../logical/fields.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, notFound, type Response } from '../../logical/response.ts';
import { Issuer, IssuerFailure } from './issuer.ts';
import type { JwtContext } from './jwt.ts';
import { hasResponseType, type JwksPair, type JwtConfig } from './store.ts';

/** Providers whose groups need a treatment of their own. */
const PROVIDERS: readonly string[] = ['azure', 'ibmisam', 'secureauth'];
const WELL_KNOWN = '.well-known/openid-configuration';

const fields = {
  oidc_discovery_url: { type: 'string', description: 'Base URL of an OpenID provider.', default: '' },
  oidc_discovery_ca_pem: { type: 'string', description: 'PEM of the authorities of that URL.', default: '' },
  oidc_client_id: { type: 'string', description: 'This vault’s client ID at the provider.', default: '' },
  oidc_client_secret: { type: 'string', description: 'The secret of that client.', default: '' },
  oidc_response_mode: { type: 'string', description: 'query or form_post.', default: '' },
  oidc_response_types: {
    type: 'commaList',
    description: 'code or id_token; code when left out.',
    default: [] as string[],
  },
  jwks_url: { type: 'string', description: 'URL of a JWKS with the keys that sign tokens.', default: '' },
  jwks_ca_pem: { type: 'string', description: 'PEM of the authorities of that URL.', default: '' },
  jwks_pairs: { type: 'any', description: 'A list of jwks_url and jwks_ca_pem.', default: [] as Json[] },
  default_role: { type: 'string', description: 'The role of logins that name none.', default: '' },
  jwt_validation_pubkeys: {
    type: 'commaList',
    description: 'PEM of public keys that sign tokens.',
    default: [] as string[],
  },
  jwt_supported_algs: {
    type: 'commaList',
    description: 'Algorithms that are accepted.',
    default: [] as string[],
  },
  bound_issuer: { type: 'string', description: 'The iss claim of accepted tokens.', default: '' },
  provider_config: {
    type: 'object',
    description: 'Settings for a particular provider.',
    default: {} as JsonObject,
  },
  override_allowed_server_names: {
    type: 'commaList',
    description: 'Names of which the certificates of those URLs must have one, instead of the host’s.',
    default: [] as string[],
  },
  namespace_in_state: {
    type: 'bool',
    description: 'Whether a namespace is passed in the state instead of the redirect URI.',
  },
  skip_jwks_validation: {
    type: 'bool',
    description: 'Only warn when the keys cannot be fetched.',
    default: false,
  },
} as const;

/** config: whose tokens are believed. */
export function configPaths({ store, issuers }: JwtContext): Path[] {
  return [
    path({
      pattern: 'config',
      synopsis: 'Configures the JWT authentication backend.',
      fields,
      operations: {
        read: {
          summary: 'Read the configuration, without the secret.',
          handler: async () => {
            const config = await store.config();
            if (config === undefined) return notFound;
            const wrong = await issuers.get(config).check();
            return data(
              { ...render(config), status: wrong === undefined ? 'valid' : 'invalid' },
              wrong === undefined ? [] : [`failed to construct JWK validator: ${wrong.message}`],
            );
          },
        },
        update: {
          summary: 'Write the configuration; what is left out is set back.',
          handler: async (_request, values): Promise<Response> => {
            const before = await store.config();
            const warnings: string[] = [];
            const config = read(values, before, warnings);
            if (typeof config === 'string') return badRequest(config);
            const refused = check(config);
            if (refused !== undefined) return badRequest(refused);
            const message =
              config.discoveryUrl === '' ? 'error checking jwks URL' : 'error checking oidc discovery URL';
            if ((await new Issuer(config).check()) instanceof IssuerFailure) {
              if (!values.skip_jwks_validation) return badRequest(message);
              warnings.push(message);
            }
            await store.putConfig(config);
            return warnings.length === 0 ? empty : data(null, warnings);
          },
        },
      },
    }),
  ];
}

function read(
  values: FieldValues<typeof fields>,
  before: JwtConfig | undefined,
  warnings: string[],
): JwtConfig | string {
  const pairs = readPairs(values.jwks_pairs);
  if (pairs === undefined) return "'jwks_pairs' must be a list of maps with a 'jwks_url' and a 'jwks_ca_pem'";
  const [discoveryUrl = ''] = values.oidc_discovery_url.split(WELL_KNOWN);
  if (discoveryUrl !== values.oidc_discovery_url)
    warnings.push(`modifying provided \`OIDCDiscoveryURL\` to ${JSON.stringify(discoveryUrl)}`);
  return {
    discoveryUrl,
    discoveryCa: values.oidc_discovery_ca_pem,
    clientId: values.oidc_client_id,
    clientSecret: values.oidc_client_secret,
    responseMode: values.oidc_response_mode,
    responseTypes: values.oidc_response_types,
    jwksUrl: values.jwks_url,
    jwksCa: values.jwks_ca_pem,
    jwksPairs: pairs,
    publicKeys: values.jwt_validation_pubkeys,
    algorithms: values.jwt_supported_algs,
    boundIssuer: values.bound_issuer,
    defaultRole: values.default_role.toLowerCase(),
    providerConfig: values.provider_config,
    serverNames: values.override_allowed_server_names,
    namespaceInState: values.namespace_in_state ?? before?.namespaceInState ?? true,
  };
}

function check(config: JwtConfig): string | undefined {
  const ways = [
    config.discoveryUrl !== '',
    config.publicKeys.length > 0,
    config.jwksUrl !== '',
    config.jwksPairs.length > 0,
  ].filter(Boolean).length;
  if (ways !== 1)
    return "exactly one of 'jwt_validation_pubkeys', 'jwks_url' or 'oidc_discovery_url' must be set";
  if ((config.clientId === '') !== (config.clientSecret === ''))
    return "both 'oidc_client_id' and 'oidc_client_secret' must be set for OIDC";
  if (config.clientId !== '' && config.discoveryUrl === '')
    return "'oidc_discovery_url' must be set for OIDC";
  for (const pem of config.publicKeys)
    if (!isPublicKey(pem)) return 'error parsing public key: data does not contain any valid public keys';
  const unknown = config.algorithms.find((each) => !ALGORITHMS.includes(each));
  if (unknown !== undefined)
    return `invalid jwt_supported_algs: unsupported signing algorithm ${JSON.stringify(unknown)}`;
  if (!config.responseTypes.every((each) => each === 'code' || each === 'id_token'))
    return `invalid response_types [${config.responseTypes.join(' ')}]. 'code' and 'id_token' are allowed`;
  if (!['', 'query', 'form_post'].includes(config.responseMode))
    return `invalid response_mode: ${JSON.stringify(config.responseMode)}`;
  if (config.responseMode !== 'form_post' && hasResponseType(config, 'id_token'))
    return 'query response_mode may not be used with an id_token response_type';
  if (Object.keys(config.providerConfig).length === 0) return undefined;
  const { provider } = config.providerConfig;
  if (typeof provider !== 'string')
    return "invalid provider_config: 'provider' field not found in provider_config";
  return PROVIDERS.includes(provider)
    ? undefined
    : `invalid provider_config: provider ${JSON.stringify(provider)} not found in custom providers`;
}

function readPairs(value: Json): JwksPair[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const pairs: JwksPair[] = [];
  for (const each of value) {
    const url = isJsonObject(each) ? each['jwks_url'] : undefined;
    const ca = isJsonObject(each) ? (each['jwks_ca_pem'] ?? '') : undefined;
    if (typeof url !== 'string' || typeof ca !== 'string') return undefined;
    pairs.push({ url, ca });
  }
  return pairs;
}

function isPublicKey(pem: string): boolean {
  try {
    return ['rsa', 'ec', 'ed25519'].includes(createPublicKey(pem).asymmetricKeyType ?? '');
  } catch {
    return false;
  }
}

function render(config: JwtConfig): JsonObject {
  return {
    bound_issuer: config.boundIssuer,
    default_role: config.defaultRole,
    jwks_ca_pem: config.jwksCa,
    ...(config.jwksPairs.length === 0
      ? {}
      : { jwks_pairs: config.jwksPairs.map(({ url, ca }) => ({ jwks_url: url, jwks_ca_pem: ca })) }),
    jwks_url: config.jwksUrl,
    jwt_supported_algs: [...config.algorithms],
    jwt_validation_pubkeys: [...config.publicKeys],
    namespace_in_state: config.namespaceInState,
    oidc_client_id: config.clientId,
    oidc_discovery_ca_pem: config.discoveryCa,
    oidc_discovery_url: config.discoveryUrl,
    oidc_response_mode: config.responseMode,
    oidc_response_types: [...config.responseTypes],
    override_allowed_server_names: [...config.serverNames],
    provider_config: { ...config.providerConfig },
  };
}
