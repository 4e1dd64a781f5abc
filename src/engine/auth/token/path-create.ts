import { parseDuration } from '../../../lib/duration.ts';
import type { FieldValues } from '../../logical/fields.ts';
import { grant } from '../../logical/grant-ttl.ts';
import { type Path, path } from '../../logical/logical.ts';
import type { LogicalRequest, TokenEntry } from '../../logical/request.ts';
import { badRequest, permissionDenied, type Response } from '../../logical/response.ts';
import type { TokenPort } from './port.ts';
import { forbidden, namesPolicies, rolePolicies, type RoleStore, type TokenRole } from './role.ts';

const fields = {
  id: { type: 'string', description: 'Value for the token', default: '' },
  display_name: { type: 'string', description: 'Name to associate with this token', default: '' },
  type: { type: 'string', description: 'Token type', default: '' },
  policies: { type: 'stringList', description: 'List of policies for the token' },
  meta: { type: 'stringMap', description: 'Arbitrary key=value metadata to associate with the token' },
  no_parent: { type: 'bool', description: 'Create the token with no parent', default: false },
  no_default_policy: {
    type: 'bool',
    description: 'Do not include default policy for this token',
    default: false,
  },
  renewable: {
    type: 'bool',
    description: 'Allow token to be renewed past its initial TTL up to system/mount maximum TTL',
    default: true,
  },
  ttl: { type: 'string', description: 'Time to live for this token', default: '' },
  lease: { type: 'string', description: 'Use ttl instead', default: '', deprecated: true },
  explicit_max_ttl: { type: 'string', description: 'Explicit Max TTL of this token', default: '' },
  period: { type: 'string', description: 'Renew period', default: '' },
  num_uses: { type: 'int', description: 'Max number of uses for this token', default: 0 },
  entity_alias: {
    type: 'string',
    description: 'Name of the entity alias to associate with this token',
    default: '',
  },
} as const;

type CreateFields = FieldValues<typeof fields>;

/** create, create-orphan and create/:role_name. */
export function createPaths(tokens: TokenPort, roles: RoleStore): Path[] {
  const row = (pattern: string, orphan: boolean, access?: 'sudo'): Path =>
    path({
      pattern,
      synopsis: orphan
        ? 'The token create path is used to create new orphan tokens.'
        : 'The token create path is used to create new tokens.',
      fields,
      ...(access === undefined ? {} : { access }),
      operations: {
        update: {
          summary: 'Create a token.',
          handler: (request, values) => create(tokens, request, values, { orphan, role: undefined }),
        },
      },
    });
  return [
    row('create-orphan', true, 'sudo'),
    row('create', false),
    path({
      pattern: 'create/:role_name',
      synopsis: 'This token create path is used to create new tokens adhering to the given role.',
      fields: { ...fields, role_name: { type: 'string', description: 'Name of the role', required: true } },
      operations: {
        update: {
          summary: 'Create a token with a role.',
          handler: async (request, values) => {
            const role = await roles.get(values.role_name);
            if (role === undefined) return badRequest(`unknown role ${values.role_name}`);
            return create(tokens, request, values, { orphan: role.orphan, role });
          },
        },
      },
    }),
  ];
}

interface Making {
  readonly orphan: boolean;
  readonly role: TokenRole | undefined;
}

async function create(
  tokens: TokenPort,
  request: LogicalRequest,
  values: CreateFields,
  { orphan: orphaned, role }: Making,
): Promise<Response> {
  const parent = request.token;
  if (parent === undefined) return permissionDenied;
  if (parent.numUses > 0) return badRequest('restricted use token cannot generate child tokens');
  const sudo =
    (orphaned && role === undefined) || (await tokens.hasSudo(parent, request.mountPoint + request.path));
  const refusal = check(values, sudo);
  if (refusal !== undefined) return badRequest(refusal);

  const policies = choosePolicies(values, parent, sudo, role);
  if (typeof policies === 'string') return badRequest(policies);

  const orphan = orphaned || values.no_parent;
  const explicitMaxTtl = smaller(seconds(values.explicit_max_ttl) ?? 0, role?.explicitMaxTtl ?? 0);
  const period = role?.period || (seconds(values.period) ?? 0);
  const wanted = seconds(values.ttl) || seconds(values.lease) || 0;
  const unlimited = policies.includes('root') && wanted === 0 && period === 0 && explicitMaxTtl === 0;
  if (unlimited && parent.expireTime !== 0) {
    return badRequest('expiring root tokens cannot create non-expiring root tokens');
  }
  const warnings: string[] = [];
  const ttl = unlimited ? 0 : grant({ wanted, period, explicitMaxTtl }, request.leaseTtl, warnings);
  const suffix = role === undefined || role.pathSuffix === '' ? '' : `/${role.pathSuffix}`;

  const issued = await tokens.create({
    parent: orphan ? '' : parent.hash,
    policies,
    path: `${request.mountPoint}${request.path}${suffix}`,
    displayName:
      values.display_name === '' ? 'token' : `token-${values.display_name.replaceAll(/[^a-zA-Z0-9-]/g, '-')}`,
    meta: values.meta ?? null,
    numUses: smaller(values.num_uses, role?.numUses ?? 0),
    ttl,
    explicitMaxTtl,
    period,
    renewable: values.renewable && role?.renewable !== false && ttl !== 0,
    orphan,
    entityId: parent.entityId,
    ...(values.id === '' ? {} : { id: values.id }),
  });
  if (issued === undefined) return badRequest('cannot create a token with a duplicate ID');
  if (values.id !== '') warnings.push('A token with a custom ID is only as hard to guess as that ID.');
  return {
    kind: 'auth',
    auth: { clientToken: issued.text, entry: issued.entry, leaseDuration: ttl },
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

// 0 is without limit.
function smaller(a: number, b: number): number {
  if (a === 0 || b === 0) return a || b;
  return Math.min(a, b);
}

function check(values: CreateFields, sudo: boolean): string | undefined {
  if (!['', 'default', 'service', 'default-service'].includes(values.type)) {
    return values.type === 'batch'
      ? 'batch tokens are not supported by this version'
      : "invalid 'token_type' value";
  }
  if (values.entity_alias !== '') return 'entity aliases are not supported by this version';
  if (values.id !== '' && !sudo) return 'root or sudo privileges required to specify token id';
  if (values.id.startsWith('hvs.') || values.id.startsWith('s.') || values.id.includes('.')) {
    return values.id === ''
      ? undefined
      : 'custom token ID cannot have the prefix of a generated one or contain a dot';
  }
  if (values.no_parent && !sudo) return 'root or sudo privileges required to create orphan token';
  if (values.num_uses < 0) return 'number of uses cannot be negative';
  for (const name of ['ttl', 'lease', 'explicit_max_ttl', 'period'] as const) {
    const parsed = seconds(values[name]);
    if (parsed === undefined) return `${name}: invalid duration`;
    if (parsed < 0) return `${name} must be positive`;
  }
  if ((seconds(values.period) ?? 0) > 0 && !sudo)
    return 'root or sudo privileges required to create periodic token';
  return undefined;
}

function choosePolicies(
  values: CreateFields,
  parent: TokenEntry,
  sudo: boolean,
  role: TokenRole | undefined,
): string[] | string {
  const given = values.policies?.map((name) => name.toLowerCase()) ?? [];
  const parentIsRoot = parent.policies.includes('root');
  const withoutDefault = values.no_default_policy || role?.noDefaultPolicy === true;
  let chosen = given.length === 0 ? [...parent.policies] : given;
  if (role !== undefined && (namesPolicies(role) || given.length > 0)) {
    const limited = namesPolicies(role) ? rolePolicies(role, given, !withoutDefault) : forbidden(role, given);
    if (typeof limited === 'string') return limited;
    chosen = limited;
  }
  if (chosen.includes('root') && !parentIsRoot) {
    return 'root tokens may not be created without parent token being root';
  }
  if ((role === undefined || !namesPolicies(role)) && !sudo && !parentIsRoot) {
    const withDefault = new Set([...parent.policies, 'default']);
    if (!chosen.every((name) => withDefault.has(name))) return 'child policies must be subset of parent';
  }
  if (chosen.includes('root')) return ['root'];
  const result = new Set(chosen);
  if (withoutDefault) result.delete('default');
  else result.add('default');
  return [...result].toSorted();
}

function seconds(value: string): number | undefined {
  return value === '' ? 0 : parseDuration(value);
}
