import { parseDuration } from '../../../lib/duration.ts';
import type { FieldValues } from '../../logical/fields.ts';
import { grant } from '../../logical/grant-ttl.ts';
import { type Path, path } from '../../logical/logical.ts';
import type { LogicalRequest, TokenEntry } from '../../logical/request.ts';
import { badRequest, permissionDenied, type Response } from '../../logical/response.ts';
import type { TokenPort } from './port.ts';
import {
  allowsAlias,
  forbidden,
  namesPolicies,
  rolePolicies,
  type RoleStore,
  type TokenRole,
} from './role.ts';

const fields = {
  id: { type: 'string', description: 'Value for the token', default: '' },
  display_name: { type: 'string', description: 'Name to associate with this token', default: '' },
  type: { type: 'string', description: 'Token type', default: '' },
  policies: { type: 'stringList', description: 'List of policies for the token', caseless: true },
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
  const row = (pattern: string, orphan: boolean): Path =>
    path({
      pattern,
      anyCase: true,
      synopsis: orphan
        ? 'The token create path is used to create new orphan tokens.'
        : 'The token create path is used to create new tokens.',
      fields,
      operations: {
        update: {
          summary: 'Create a token.',
          handler: (request, values) => create(tokens, request, values, { orphan, role: undefined }),
        },
      },
    });
  return [
    row('create-orphan', true),
    row('create', false),
    path({
      pattern: 'create/:role_name',
      anyCase: true,
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
  if (parent.type === 'batch') return badRequest('batch tokens cannot create more tokens');
  if (parent.numUses > 0) return badRequest('restricted use token cannot generate child tokens');
  const type = tokenType(values, role);
  if (type === undefined) return badRequest("invalid 'token_type' value");
  const sudo = await tokens.hasSudo(parent, request.mountPoint + request.path);
  const refusal = check(values, sudo) ?? (type === 'batch' ? checkBatch(values) : undefined);
  if (refusal !== undefined) return badRequest(refusal);
  const owner = await explicitEntity(tokens, values.entity_alias, role);
  if (owner !== undefined && 'kind' in owner) return owner;

  const policies = choosePolicies(values, parent, sudo, role);
  if (typeof policies === 'string') return badRequest(policies);

  if (type === 'batch' && policies.includes('root')) return badRequest('batch tokens cannot be root tokens');

  const orphan = orphaned || values.no_parent;
  const warnings: string[] = [];
  const ofRole = type === 'batch' ? undefined : role;
  const askedMaxTtl = lesser('Explicit max TTL', values.explicit_max_ttl, ofRole?.explicitMaxTtl, warnings);
  const period = lesser('Period', values.period, ofRole?.period, warnings);
  const wanted = seconds(values.ttl) || seconds(values.lease) || 0;
  const left =
    policies.includes('root') && parent.expireTime !== 0 ? parent.expireTime - tokens.now() : undefined;
  const outlives = left === undefined ? undefined : refuseLonger(left, { wanted, period, askedMaxTtl });
  if (outlives !== undefined) return badRequest(outlives);
  // No renewal goes beyond the end of the root token that made it.
  const explicitMaxTtl = left === undefined ? askedMaxTtl : smaller(left, askedMaxTtl);
  const unlimited = policies.includes('root') && wanted === 0 && period === 0 && explicitMaxTtl === 0;
  const ttl = unlimited ? 0 : grant({ wanted, period, explicitMaxTtl }, request.leaseTtl, warnings);
  const boundCidrs = role?.boundCidrs ?? (orphan || ttl === 0 ? undefined : parent.boundCidrs);
  const suffix = role === undefined || role.pathSuffix === '' ? '' : `/${role.pathSuffix}`;

  // Batch tokens are not counted, but none is made either when there is no place left (Vault: "Batch tokens").
  const full = ttl === 0 ? undefined : await request.leasePlace?.();
  if (full !== undefined) return full;
  const issued = await tokens.create({
    parent: orphan ? '' : parent.hash,
    policies,
    path: `${request.mountPoint}${request.path}${suffix}`,
    displayName:
      values.display_name === '' ? 'token' : `token-${values.display_name.replaceAll(/[^a-zA-Z0-9-]/g, '-')}`,
    meta: values.meta ?? null,
    numUses: type === 'batch' ? 0 : smaller(values.num_uses, role?.numUses ?? 0),
    ttl,
    explicitMaxTtl,
    period,
    renewable: type === 'service' && values.renewable && role?.renewable !== false && ttl !== 0,
    orphan,
    entityId: owner?.id ?? (orphan ? '' : parent.entityId),
    type,
    ...(boundCidrs === undefined || boundCidrs.length === 0 ? {} : { boundCidrs }),
    ...(values.id === '' ? {} : { id: values.id }),
  });
  if (issued === undefined) return badRequest('cannot create a token with a duplicate ID');
  for (const name of policies)
    if (!(await tokens.hasPolicy(name))) warnings.push(`Policy ${JSON.stringify(name)} does not exist`);
  const mixed = (values.policies ?? []).filter((name) => name !== name.toLowerCase());
  for (const name of mixed) warnings.push(`policy name ${JSON.stringify(name)} was converted to lower case`);
  if (values.lease !== '') warnings.push("'lease' is deprecated, please use 'ttl' instead");
  if (values.id !== '') warnings.push('A token with a custom ID is only as hard to guess as that ID.');
  return {
    kind: 'auth',
    auth: { clientToken: issued.text, entry: issued.entry, leaseDuration: ttl },
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

// A root token that ends makes no root token that outlives it. All in seconds; 0 is not asked for.
function refuseLonger(
  left: number,
  asked: { readonly wanted: number; readonly period: number; readonly askedMaxTtl: number },
): string | undefined {
  if (asked.period > 0) return 'expiring root tokens cannot create periodic root tokens';
  if (asked.wanted === 0 && asked.askedMaxTtl === 0)
    return 'expiring root tokens cannot create non-expiring root tokens';
  return left <= 0 || asked.wanted > left || asked.askedMaxTtl > left
    ? `expiring root tokens cannot create root tokens that outlive them: ${Math.max(left, 0)} seconds are left`
    : undefined;
}

// 0 is without limit.
function smaller(a: number, b: number): number {
  if (a === 0 || b === 0) return a || b;
  return Math.min(a, b);
}

// A role may decide, or leave it to the caller.
function tokenType(values: CreateFields, role: TokenRole | undefined): 'service' | 'batch' | undefined {
  if (role?.tokenType === 'service' || role?.tokenType === 'batch') return role.tokenType;
  if (values.type === '' && role?.tokenType === 'default-batch') return 'batch';
  if (values.type === 'batch') return 'batch';
  return ['', 'default', 'service', 'default-service'].includes(values.type) ? 'service' : undefined;
}

function checkBatch(values: CreateFields): string | undefined {
  const set =
    seconds(values.explicit_max_ttl) !== 0
      ? 'explicit_max_ttl'
      : values.num_uses !== 0
        ? 'num_uses'
        : seconds(values.period) !== 0
          ? 'period'
          : undefined;
  return set === undefined ? undefined : `batch tokens cannot have ${JSON.stringify(set)} set`;
}

async function explicitEntity(
  tokens: TokenPort,
  alias: string,
  role: TokenRole | undefined,
): Promise<{ readonly id: string } | Response | undefined> {
  if (alias === '') return undefined;
  if (role === undefined) return badRequest("'entity_alias' is only allowed in combination with token role");
  if (!allowsAlias(role, alias)) return badRequest("invalid 'entity_alias' value");
  const entity = await tokens.entityOf(alias);
  return entity.disabled
    ? { kind: 'refusal', status: 403, errors: ['entity from given entity alias is disabled'] }
    : entity;
}

// Given in the call and by the role: the lesser of both.
function lesser(what: string, given: string, ofRole: number | undefined, warnings: string[]): number {
  const asked = seconds(given) ?? 0;
  const chosen = smaller(asked, ofRole ?? 0);
  if (asked > 0 && (ofRole ?? 0) > 0) {
    warnings.push(
      `${what} specified both during creation call and in role; using the lesser value of ${chosen} seconds`,
    );
  }
  return chosen;
}

function check(values: CreateFields, sudo: boolean): string | undefined {
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
