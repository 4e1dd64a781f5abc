import { isCidr } from '../../../lib/cidr.ts';
import type { JsonObject } from '../../../lib/json.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound } from '../../logical/response.ts';
import type { RoleStore, TokenRole } from './role.ts';

const TOKEN_TYPES: readonly string[] = [
  '',
  'default',
  'service',
  'batch',
  'default-service',
  'default-batch',
];

const fields = {
  role_name: { type: 'string', description: 'Name of the role', required: true },
  allowed_policies: {
    type: 'commaList',
    description: 'Policies that tokens of this role may have.',
    fold: true,
  },
  allowed_policies_glob: {
    type: 'commaList',
    description: 'Globs of policies that tokens of this role may have.',
  },
  disallowed_policies: {
    type: 'commaList',
    description: 'Policies that tokens of this role never have.',
    fold: true,
  },
  disallowed_policies_glob: {
    type: 'commaList',
    description: 'Globs of policies that tokens of this role never have.',
  },
  orphan: { type: 'bool', description: 'Whether tokens of this role have no parent.' },
  renewable: { type: 'bool', description: 'Whether tokens of this role can be renewed.' },
  path_suffix: {
    type: 'string',
    description: 'Put behind the path of tokens of this role, to revoke them by it.',
  },
  token_period: { type: 'duration', description: 'Makes tokens periodic.' },
  period: { type: 'duration', description: 'Use token_period instead.', deprecated: true },
  token_explicit_max_ttl: {
    type: 'duration',
    description: 'The latest end of a token, counted from its creation.',
  },
  explicit_max_ttl: {
    type: 'duration',
    description: 'Use token_explicit_max_ttl instead.',
    deprecated: true,
  },
  token_no_default_policy: { type: 'bool', description: 'Whether to leave the default policy out.' },
  token_num_uses: { type: 'int', description: 'Uses of a token of this role; 0 is without limit.' },
  token_type: {
    type: 'string',
    description: 'service, batch, default-service or default-batch; the latter two let the caller choose.',
  },
  token_bound_cidrs: { type: 'commaList', description: 'Blocks of addresses that tokens may be used from.' },
  bound_cidrs: { type: 'commaList', description: 'Use token_bound_cidrs instead.', deprecated: true },
  allowed_entity_aliases: {
    type: 'commaList',
    description: 'Names or globs of entity aliases that tokens of this role may be made for.',
  },
} as const;

/** roles and roles/:role_name. */
export function rolePaths(roles: RoleStore): Path[] {
  return [
    path({
      pattern: 'roles',
      synopsis: 'This endpoint lists configured roles.',
      fields: {},
      operations: {
        list: { summary: 'List the token roles.', handler: async () => keys(await roles.names()) },
      },
    }),
    path({
      pattern: 'roles/:role_name',
      synopsis: 'Manage token roles: what tokens made with a role may be.',
      fields,
      exists: async (_request, values) => (await roles.get(values.role_name)) !== undefined,
      operations: {
        read: {
          summary: 'Read a token role.',
          handler: async (_request, values) => {
            const role = await roles.get(values.role_name);
            return role === undefined ? notFound : data(render(role));
          },
        },
        update: {
          summary: 'Create or update a token role.',
          handler: async (_request, values) => {
            const before = await roles.get(values.role_name);
            const tokenType = values.token_type ?? before?.tokenType ?? 'default-service';
            if (!TOKEN_TYPES.includes(tokenType)) return badRequest("invalid 'token_type' value");
            const boundCidrs = values.token_bound_cidrs ?? values.bound_cidrs ?? before?.boundCidrs ?? [];
            const wrong = boundCidrs.find((cidr) => !isCidr(cidr));
            if (wrong !== undefined)
              return badRequest(`error parsing bound_cidrs: invalid CIDR address: ${wrong}`);
            const suffix = values.path_suffix ?? '';
            if (!/^[\w.-]*$/.test(suffix))
              return badRequest('path_suffix may hold letters, digits, ".", "-" and "_" only');
            const role: TokenRole = {
              name: values.role_name,
              allowedPolicies: lower(values.allowed_policies) ?? before?.allowedPolicies ?? [],
              allowedPoliciesGlob: lower(values.allowed_policies_glob) ?? before?.allowedPoliciesGlob ?? [],
              disallowedPolicies: lower(values.disallowed_policies) ?? before?.disallowedPolicies ?? [],
              disallowedPoliciesGlob:
                lower(values.disallowed_policies_glob) ?? before?.disallowedPoliciesGlob ?? [],
              orphan: values.orphan ?? before?.orphan ?? false,
              renewable: values.renewable ?? before?.renewable ?? true,
              pathSuffix: values.path_suffix ?? before?.pathSuffix ?? '',
              period: values.token_period ?? values.period ?? before?.period ?? 0,
              explicitMaxTtl:
                values.token_explicit_max_ttl ?? values.explicit_max_ttl ?? before?.explicitMaxTtl ?? 0,
              noDefaultPolicy: values.token_no_default_policy ?? before?.noDefaultPolicy ?? false,
              numUses: values.token_num_uses ?? before?.numUses ?? 0,
              tokenType: ['', 'default'].includes(tokenType) ? 'default-service' : tokenType,
              boundCidrs,
              allowedEntityAliases:
                lower(values.allowed_entity_aliases) ?? before?.allowedEntityAliases ?? [],
            };
            if (role.numUses < 0) return badRequest("'token_num_uses' cannot be negative");
            const refused = role.tokenType === 'batch' ? checkBatch(role) : undefined;
            if (refused !== undefined) return badRequest(refused);
            await roles.put(role);
            return empty;
          },
        },
        delete: {
          summary: 'Delete a token role.',
          handler: async (_request, values) => {
            await roles.delete(values.role_name);
            return empty;
          },
        },
      },
    }),
  ];
}

// What a batch token cannot have, a role of batch tokens cannot ask for.
function checkBatch(role: TokenRole): string | undefined {
  const what = !role.orphan
    ? 'non-orphan tokens'
    : role.period > 0
      ? 'periodic tokens'
      : role.renewable
        ? 'renewable tokens'
        : role.explicitMaxTtl > 0
          ? 'tokens with an explicit max TTL'
          : undefined;
  return what === undefined
    ? undefined
    : `'token_type' cannot be 'batch' when role is set to generate ${what}`;
}

function lower(names: readonly string[] | undefined): string[] | undefined {
  return names?.map((name) => name.toLowerCase());
}

function render(role: TokenRole): JsonObject {
  return {
    allowed_entity_aliases:
      role.allowedEntityAliases === undefined || role.allowedEntityAliases.length === 0
        ? null
        : [...role.allowedEntityAliases],
    allowed_policies: [...role.allowedPolicies],
    allowed_policies_glob: [...role.allowedPoliciesGlob],
    disallowed_policies: [...role.disallowedPolicies],
    disallowed_policies_glob: [...role.disallowedPoliciesGlob],
    explicit_max_ttl: 0,
    name: role.name,
    orphan: role.orphan,
    path_suffix: role.pathSuffix,
    period: 0,
    renewable: role.renewable,
    ...(role.boundCidrs === undefined || role.boundCidrs.length === 0
      ? {}
      : { token_bound_cidrs: [...role.boundCidrs] }),
    token_explicit_max_ttl: role.explicitMaxTtl,
    token_no_default_policy: role.noDefaultPolicy,
    ...(role.numUses === 0 ? {} : { token_num_uses: role.numUses }),
    token_period: role.period,
    token_type: role.tokenType,
  };
}
