import type { JsonObject } from '../../../lib/json.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound } from '../../logical/response.ts';
import type { RoleStore, TokenRole } from './role.ts';

const fields = {
  role_name: { type: 'string', description: 'Name of the role', required: true },
  allowed_policies: { type: 'commaList', description: 'Policies that tokens of this role may have.' },
  allowed_policies_glob: {
    type: 'commaList',
    description: 'Globs of policies that tokens of this role may have.',
  },
  disallowed_policies: { type: 'commaList', description: 'Policies that tokens of this role never have.' },
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
  token_type: { type: 'string', description: 'service, or default-service to let the caller choose.' },
  token_bound_cidrs: { type: 'commaList', description: 'Not supported: addresses cannot limit a token yet.' },
  bound_cidrs: {
    type: 'commaList',
    description: 'Not supported: addresses cannot limit a token yet.',
    deprecated: true,
  },
  allowed_entity_aliases: { type: 'commaList', description: 'Not supported: there are no entities yet.' },
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
            if ((values.token_bound_cidrs ?? values.bound_cidrs ?? []).length > 0) {
              return badRequest('token_bound_cidrs is not supported by this version');
            }
            if ((values.allowed_entity_aliases ?? []).length > 0) {
              return badRequest('allowed_entity_aliases is not supported by this version');
            }
            const tokenType = values.token_type ?? 'default-service';
            if (!['', 'default', 'default-service', 'service'].includes(tokenType)) {
              return badRequest(
                tokenType.endsWith('batch')
                  ? 'batch tokens are not supported by this version'
                  : "invalid 'token_type' value",
              );
            }
            const suffix = values.path_suffix ?? '';
            if (!/^[\w.-]*$/.test(suffix))
              return badRequest('path_suffix may hold letters, digits, ".", "-" and "_" only');
            const before = await roles.get(values.role_name);
            await roles.put({
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
            });
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

function lower(names: readonly string[] | undefined): string[] | undefined {
  return names?.map((name) => name.toLowerCase());
}

function render(role: TokenRole): JsonObject {
  return {
    allowed_entity_aliases: null,
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
    token_explicit_max_ttl: role.explicitMaxTtl,
    token_no_default_policy: role.noDefaultPolicy,
    ...(role.numUses === 0 ? {} : { token_num_uses: role.numUses }),
    token_period: role.period,
    token_type: role.tokenType,
  };
}
