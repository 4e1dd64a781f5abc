import { formatDuration } from '../../../lib/duration.ts';
import type { JsonObject } from '../../../lib/json.ts';
import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound } from '../../logical/response.ts';
import { olderTokenFields, renderTokenFields, tokenFields } from '../token-fields.ts';
import type { JwtContext } from './jwt.ts';
import { editRole } from './role.ts';
import type { JwtRole } from './store.ts';

const VERBOSE =
  'verbose_oidc_logging has been enabled for this role. This is not recommended in production since sensitive information may be present in OIDC responses.';

const fields = {
  name: { type: 'string', description: 'Name of the role.', required: true },
  role_type: { type: 'string', description: 'jwt or oidc; oidc when left out.', default: '' },
  expiration_leeway: {
    type: 'duration',
    signed: true,
    description: 'Seconds to add to the other times of tokens without exp; 0 is 150, -1 is none.',
  },
  not_before_leeway: {
    type: 'duration',
    signed: true,
    description: 'Seconds to take from exp of tokens without nbf; 0 is 150, -1 is none.',
  },
  clock_skew_leeway: {
    type: 'duration',
    signed: true,
    description: 'Seconds by which clocks may differ; 0 is 60, -1 is none.',
  },
  bound_audiences: { type: 'commaList', description: 'One of them must be in the aud claim.' },
  bound_subject: { type: 'string', description: 'What the sub claim must be.' },
  bound_claims_type: { type: 'string', description: 'string, or glob for patterns.', default: 'string' },
  bound_claims: { type: 'object', description: 'Claims and what they must be, or one of which.' },
  claim_mappings: { type: 'stringMap', description: 'Claims, and the metadata that they become.' },
  oauth2_metadata: {
    type: 'commaList',
    description: 'access_token, id_token or refresh_token: to be returned in the metadata.',
  },
  user_claim: { type: 'string', description: 'The claim that names the user.' },
  user_claim_json_pointer: { type: 'bool', description: 'user_claim is a JSON pointer.' },
  groups_claim: { type: 'string', description: 'The claim that names the groups of the user.' },
  oidc_scopes: { type: 'commaList', description: 'Scopes to ask for besides openid.' },
  allowed_redirect_uris: { type: 'commaList', description: 'Where browsers may be sent back to.' },
  callback_mode: {
    type: 'string',
    description: 'Where the provider sends the browser: client, direct (here), or device.',
    default: 'client',
  },
  oidc_disable_confirmation: { type: 'bool', description: 'Do not ask before a direct callback.' },
  poll_interval: { type: 'int', description: 'Seconds between polls.' },
  verbose_oidc_logging: { type: 'bool', description: 'Accepted; tokens and claims are never logged.' },
  max_age: { type: 'duration', description: 'How long ago the user may have proven who he is.' },
  token_policies_template_claims: { type: 'bool', description: 'Not supported.', default: false },
  ...tokenFields,
  ...olderTokenFields,
} as const;

/** role/: which tokens of others are worth which tokens of this vault. */
export function rolePaths({ store }: JwtContext): Path[] {
  const locks = new KeyedMutex();
  return [
    path({
      pattern: 'role',
      synopsis: 'Lists all the roles registered with the backend.',
      fields: {},
      operations: {
        list: { summary: 'List the roles.', handler: async () => keys(await store.roleNames()) },
      },
    }),
    path({
      pattern: 'role/:name',
      synopsis: 'Register an role with the backend.',
      fields,
      exists: async (_request, { name }) => (await store.role(name)) !== undefined,
      operations: {
        read: {
          summary: 'Read a role.',
          handler: async (_request, { name }) => {
            const role = await store.role(name);
            return role === undefined ? notFound : data(render(role));
          },
        },
        update: {
          summary: 'Create or change a role.',
          handler: (request, values) =>
            locks.run(values.name.toLowerCase(), async () => {
              const role = editRole(await store.role(values.name), values);
              if (typeof role === 'string') return badRequest(role);
              const { max } = request.leaseTtl;
              if (role.token.period > max) {
                return badRequest(
                  `'period' of '"${formatDuration(role.token.period)}"' is greater than the backend's maximum lease TTL of '"${formatDuration(max)}"'`,
                );
              }
              await store.putRole(values.name, role);
              const warnings =
                role.token.maxTtl > max
                  ? [
                      "token max ttl is greater than the system or backend mount's maximum TTL value; issued tokens' max TTL value will be truncated",
                    ]
                  : [];
              if (role.verboseLogging) warnings.push(VERBOSE);
              return warnings.length === 0 ? empty : data(null, warnings);
            }),
        },
        delete: {
          summary: 'Delete a role.',
          handler: async (_request, { name }) => {
            await store.deleteRole(name);
            return empty;
          },
        },
      },
    }),
  ];
}

function render(role: JwtRole): JsonObject {
  const list = (values: readonly string[] | null): string[] | null => (values === null ? null : [...values]);
  return {
    allowed_redirect_uris: list(role.redirectUris),
    bound_audiences: list(role.boundAudiences),
    bound_claims: role.boundClaims,
    bound_claims_type: role.boundClaimsType,
    bound_subject: role.boundSubject,
    callback_mode: role.callbackMode,
    claim_mappings: role.claimMappings === null ? null : { ...role.claimMappings },
    clock_skew_leeway: role.clockSkewLeeway,
    expiration_leeway: role.expirationLeeway,
    groups_claim: role.groupsClaim,
    max_age: role.maxAge,
    not_before_leeway: role.notBeforeLeeway,
    oauth2_metadata: list(role.oauth2Metadata),
    oidc_scopes: list(role.scopes),
    ...(role.pollInterval > 0 ? { poll_interval: role.pollInterval } : {}),
    role_type: role.type,
    ...renderTokenFields(role.token),
    token_policies_template_claims: false,
    user_claim: role.userClaim,
    user_claim_json_pointer: role.userClaimIsPointer,
    verbose_oidc_logging: role.verboseLogging,
  };
}
