import type { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import { utf8 } from '../../../lib/bytes.ts';
import { isBlock } from '../../../lib/cidr.ts';
import { formatDuration } from '../../../lib/duration.ts';
import type { JsonObject } from '../../../lib/json.ts';
import type { Random } from '../../../lib/random.ts';
import { type Path, path, unsupportedPath } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound, type Response } from '../../logical/response.ts';
import {
  type GivenTokenFields,
  noTokenParameters,
  olderTokenFields,
  readTokenFields,
  renderTokenFields,
  tokenFields,
} from '../token-fields.ts';
import type { AppRole, AppRoleStore } from './store.ts';

const role_name = { type: 'string', description: 'Name of the role.', required: true } as const;
const fields = {
  role_name,
  role_id: { type: 'string', description: 'Identifier of the role; random when left out.' },
  bind_secret_id: { type: 'bool', description: 'Impose secret_id to be presented when logging in.' },
  secret_id_bound_cidrs: { type: 'commaList', description: 'Blocks of addresses that may log in.' },
  bound_cidr_list: { type: 'commaList', description: 'Use secret_id_bound_cidrs instead.', deprecated: true },
  secret_id_num_uses: { type: 'int', description: 'How often a secret ID may be used; 0 is without limit.' },
  secret_id_ttl: { type: 'duration', description: 'How long a secret ID is good; 0 is for ever.' },
  local_secret_ids: {
    type: 'bool',
    description: 'Secret IDs are local to the cluster; set at creation only.',
  },
  policies: olderTokenFields.policies,
  period: olderTokenFields.period,
  ...tokenFields,
} as const;

interface Given extends GivenTokenFields {
  readonly role_id?: string | undefined;
  readonly bind_secret_id?: boolean | undefined;
  readonly secret_id_bound_cidrs?: readonly string[] | undefined;
  readonly bound_cidr_list?: readonly string[] | undefined;
  readonly secret_id_num_uses?: number | undefined;
  readonly secret_id_ttl?: number | undefined;
  readonly local_secret_ids?: boolean | undefined;
}

// Each is a path of its own below the role: its field, an older name of it, and what a delete sets it to.
const PARTS = {
  policies: ['token_policies', 'policies', []],
  'bind-secret-id': ['bind_secret_id', undefined, true],
  'secret-id-num-uses': ['secret_id_num_uses', undefined, 0],
  'secret-id-ttl': ['secret_id_ttl', undefined, 0],
  'secret-id-bound-cidrs': ['secret_id_bound_cidrs', undefined, []],
  'bound-cidr-list': ['bound_cidr_list', undefined, []],
  'token-bound-cidrs': ['token_bound_cidrs', undefined, []],
  'token-num-uses': ['token_num_uses', undefined, 0],
  'token-ttl': ['token_ttl', undefined, 0],
  'token-max-ttl': ['token_max_ttl', undefined, 0],
  period: ['token_period', 'period', 0],
} as const;
const MAX_NAME = 4096;
const BOUND_CIDR_LIST =
  'The "bound_cidr_list" field is deprecated and will be removed. Please use "secret_id_bound_cidrs" instead.';

/** role/: roles, their IDs, and each of their settings by itself. */
export function rolePaths(store: AppRoleStore, random: Random, locks: KeyedMutex): Path[] {
  const write = (name: string, given: Given, maxTtl: number, ifMissing?: Response): Promise<Response> =>
    locks.run(name.toLowerCase(), async () => {
      const before = await store.role(name);
      if (before === undefined && ifMissing !== undefined) return ifMissing;
      const warnings: string[] = [];
      const role = edit(name.toLowerCase(), before, withUsefulType(given, warnings), random);
      if (typeof role === 'string') return badRequest(role);
      if (role.token.period > maxTtl) {
        return badRequest(
          `period of "${formatDuration(role.token.period)}" is greater than the backend's maximum lease TTL of "${formatDuration(maxTtl)}"`,
        );
      }
      if (role.token.maxTtl > maxTtl) {
        warnings.push(
          "token_max_ttl is greater than the backend mount's maximum TTL value; issued tokens' max TTL value will be truncated",
        );
      }
      const owner = await store.byRoleId(role.roleId);
      if (owner !== undefined && owner.name !== role.name) return badRequest('role_id already in use');
      await store.putRole(role, before);
      return warnings.length === 0 ? empty : data(null, warnings);
    });

  return [
    path({
      pattern: 'role',
      synopsis: 'Lists all the roles registered with the backend.',
      fields: {},
      operations: { list: { summary: 'List the roles.', handler: async () => keys(await store.names()) } },
    }),
    path({
      pattern: 'role/:role_name',
      caselessName: true,
      synopsis: 'Register an role with the backend.',
      fields,
      exists: async (_request, values) => (await store.role(values.role_name)) !== undefined,
      operations: {
        read: {
          summary: 'Read a role.',
          handler: async (_request, values) => {
            const role = await store.role(values.role_name);
            return role === undefined ? notFound : data(render(role));
          },
        },
        update: {
          summary: 'Create or change a role.',
          handler: (request, values) =>
            utf8(values.role_name).length > MAX_NAME
              ? badRequest(`role_name is longer than maximum of ${MAX_NAME} bytes`)
              : write(values.role_name, values, request.leaseTtl.max),
        },
        delete: {
          summary: 'Delete a role with its secret IDs.',
          handler: (_request, values) =>
            locks.run(values.role_name.toLowerCase(), async () => {
              const role = await store.role(values.role_name);
              if (role !== undefined) await store.deleteRole(role);
              return empty;
            }),
        },
      },
    }),
    path({
      pattern: 'role/:role_name/role-id',
      caselessName: true,
      synopsis: "Returns the 'role_id' of the role.",
      fields: { role_name, role_id: fields.role_id },
      operations: {
        read: {
          summary: 'Read the role ID.',
          handler: async (_request, values) => {
            const role = await store.role(values.role_name);
            return role === undefined ? notFound : data({ role_id: role.roleId });
          },
        },
        update: {
          summary: 'Set the role ID.',
          handler: (request, values) =>
            values.role_id === undefined || values.role_id === ''
              ? badRequest('missing role_id')
              : write(values.role_name, { role_id: values.role_id }, request.leaseTtl.max, unsupportedPath),
        },
      },
    }),
    path({
      pattern: 'role/:role_name/local-secret-ids',
      caselessName: true,
      synopsis: 'Whether the secret IDs are local to the cluster.',
      fields: { role_name },
      operations: {
        read: {
          summary: 'Read the setting.',
          handler: async (_request, values) => {
            const role = await store.role(values.role_name);
            return role === undefined ? notFound : data({ local_secret_ids: role.localSecretIds });
          },
        },
      },
    }),
    ...Object.entries(PARTS).map(([segment, [name, older, reset]]) =>
      path({
        pattern: `role/:role_name/${segment}`,
        caselessName: true,
        synopsis: `The setting ${name} of the role.`,
        fields: {
          role_name,
          [name]: fields[name],
          ...(older === undefined ? {} : { [older]: fields[older] }),
          // Typed as all of them: which one it is, is data.
        } as unknown as typeof fields,
        operations: {
          read: {
            summary: 'Read the setting.',
            handler: async (_request, values) => {
              const role = await store.role(values.role_name);
              return role === undefined ? notFound : readPart(render(role), name, older);
            },
          },
          update: {
            summary: 'Change the setting.',
            handler: (request, values) => {
              const value = values[name];
              const old = older === undefined ? undefined : values[older];
              if (value === undefined && old === undefined)
                return badRequest(`missing ${older === 'period' ? older : name}`);
              const given = {
                ...(value === undefined ? {} : { [name]: value }),
                ...(old === undefined || older === undefined ? {} : { [older]: old }),
              };
              return write(values.role_name, given, request.leaseTtl.max, unsupportedPath);
            },
          },
          delete: {
            summary: 'Set the default again.',
            handler: (request, values) =>
              write(values.role_name, { [name]: reset }, request.leaseTtl.max, empty),
          },
        },
      }),
    ),
  ];
}

function readPart(role: JsonObject, name: string, older: string | undefined): Response {
  if (name === 'bound_cidr_list')
    return data({ bound_cidr_list: role['secret_id_bound_cidrs'] ?? null }, [BOUND_CIDR_LIST]);
  const past = older === undefined ? undefined : role[older];
  return data({
    [name]: role[name] ?? null,
    ...(past === undefined || older === undefined ? {} : { [older]: past }),
  });
}

// The defaults of a mount mean nothing on a role.
function withUsefulType(given: Given, warnings: string[]): Given {
  const type = given.token_type;
  if (type !== 'default-service' && type !== 'default-batch') return given;
  const useful = type.slice('default-'.length);
  warnings.push(`${type} has no useful meaning; adjusting to ${useful}`);
  return { ...given, token_type: useful };
}

function edit(name: string, before: AppRole | undefined, given: Given, random: Random): AppRole | string {
  const token = readTokenFields(before?.token ?? noTokenParameters, given);
  if (typeof token === 'string') return token;
  if (given.role_id === '') return 'invalid role_id supplied, or failed to generate a role_id';
  const role: AppRole = {
    name,
    roleId: given.role_id ?? before?.roleId ?? random.uuid(),
    bindSecretId: given.bind_secret_id ?? before?.bindSecretId ?? true,
    secretIdBoundCidrs:
      given.secret_id_bound_cidrs ?? given.bound_cidr_list ?? before?.secretIdBoundCidrs ?? [],
    secretIdNumUses: given.secret_id_num_uses ?? before?.secretIdNumUses ?? 0,
    secretIdTtl: given.secret_id_ttl ?? before?.secretIdTtl ?? 0,
    localSecretIds: before?.localSecretIds ?? given.local_secret_ids ?? false,
    token,
  };
  if (before !== undefined && given.local_secret_ids !== undefined)
    return 'local_secret_ids can only be modified during role creation';
  if (!role.secretIdBoundCidrs.every(isBlock)) return 'invalid CIDR blocks';
  if (role.secretIdNumUses < 0) return 'secret_id_num_uses cannot be negative';
  if (role.secretIdTtl < 0) return 'secret_id_ttl cannot be negative';
  if (!role.bindSecretId && role.secretIdBoundCidrs.length === 0 && token.boundCidrs.length === 0)
    return 'at least one constraint should be enabled on the role';
  return role;
}

function render(role: AppRole): JsonObject {
  return {
    ...renderTokenFields(role.token),
    bind_secret_id: role.bindSecretId,
    local_secret_ids: role.localSecretIds,
    secret_id_bound_cidrs: role.secretIdBoundCidrs.length === 0 ? null : [...role.secretIdBoundCidrs],
    secret_id_num_uses: role.secretIdNumUses,
    secret_id_ttl: role.secretIdTtl,
  };
}
