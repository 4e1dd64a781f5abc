import { isCidr } from '../../lib/cidr.ts';
import type { JsonObject } from '../../lib/json.ts';
import type { Login } from '../logical/login.ts';

/** The token parameters that all auth methods share; `token_strictly_bind_ip` is the peer's. */
export const tokenFields = {
  token_bound_cidrs: {
    type: 'commaList',
    description: 'Blocks of IP addresses from which the token may be used.',
  },
  token_explicit_max_ttl: { type: 'duration', description: 'A limit that no renewal goes beyond.' },
  token_max_ttl: { type: 'duration', description: 'The maximum lifetime of the token.' },
  token_no_default_policy: { type: 'bool', description: 'Leave out the default policy.' },
  token_num_uses: { type: 'int', description: 'How often the token may be used; 0 is without limit.' },
  token_period: { type: 'duration', description: 'Makes the token periodic.' },
  token_policies: { type: 'commaList', description: 'Policies of the token.', fold: true },
  token_strictly_bind_ip: { type: 'bool', description: 'Bind the token to the address of the login.' },
  token_ttl: { type: 'duration', description: 'The first lifetime of the token.' },
  token_type: { type: 'string', description: 'service, batch, default, default-service or default-batch.' },
} as const;

/** Their older names; each auth method takes those that its peer takes. */
export const olderTokenFields = {
  bound_cidrs: { type: 'commaList', description: 'Use token_bound_cidrs instead.', deprecated: true },
  max_ttl: { type: 'duration', description: 'Use token_max_ttl instead.', deprecated: true },
  num_uses: { type: 'int', description: 'Use token_num_uses instead.', deprecated: true },
  period: { type: 'duration', description: 'Use token_period instead.', deprecated: true },
  policies: { type: 'commaList', description: 'Use token_policies instead.', fold: true, deprecated: true },
  ttl: { type: 'duration', description: 'Use token_ttl instead.', deprecated: true },
} as const;

type OlderName = keyof typeof olderTokenFields;

/** How the tokens of a role are made; times in seconds. */
export interface TokenParameters {
  readonly boundCidrs: readonly string[];
  readonly explicitMaxTtl: number;
  readonly maxTtl: number;
  readonly noDefaultPolicy: boolean;
  readonly numUses: number;
  readonly period: number;
  readonly policies: readonly string[];
  readonly strictlyBindIp: boolean;
  readonly ttl: number;
  readonly type: string;
  /** The older names that the last writer used: reads show those too. */
  readonly older?: readonly OlderName[];
}

export const noTokenParameters: TokenParameters = {
  boundCidrs: [],
  explicitMaxTtl: 0,
  maxTtl: 0,
  noDefaultPolicy: false,
  numUses: 0,
  period: 0,
  policies: [],
  strictlyBindIp: false,
  ttl: 0,
  type: 'default',
};

/** The fields as they were given; the names without `token_` are the older ones. */
export interface GivenTokenFields {
  readonly token_bound_cidrs?: readonly string[] | undefined;
  readonly token_explicit_max_ttl?: number | undefined;
  readonly token_max_ttl?: number | undefined;
  readonly token_no_default_policy?: boolean | undefined;
  readonly token_num_uses?: number | undefined;
  readonly token_period?: number | undefined;
  readonly token_policies?: readonly string[] | undefined;
  readonly token_strictly_bind_ip?: boolean | undefined;
  readonly token_ttl?: number | undefined;
  readonly token_type?: string | undefined;
  readonly bound_cidrs?: readonly string[] | undefined;
  readonly policies?: readonly string[] | undefined;
  readonly ttl?: number | undefined;
  readonly max_ttl?: number | undefined;
  readonly num_uses?: number | undefined;
  readonly period?: number | undefined;
}

/** @returns the parameters with what was given in place, or why it is refused */
export function readTokenFields(before: TokenParameters, given: GivenTokenFields): TokenParameters | string {
  const next: TokenParameters = {
    boundCidrs: given.token_bound_cidrs ?? given.bound_cidrs ?? before.boundCidrs,
    explicitMaxTtl: given.token_explicit_max_ttl ?? before.explicitMaxTtl,
    maxTtl: given.token_max_ttl ?? given.max_ttl ?? before.maxTtl,
    noDefaultPolicy: given.token_no_default_policy ?? before.noDefaultPolicy,
    numUses: given.token_num_uses ?? given.num_uses ?? before.numUses,
    period: given.token_period ?? given.period ?? before.period,
    policies: normalPolicies(given.token_policies ?? given.policies ?? before.policies),
    strictlyBindIp: given.token_strictly_bind_ip ?? before.strictlyBindIp,
    ttl: given.token_ttl ?? given.ttl ?? before.ttl,
    type: given.token_type === undefined || given.token_type === '' ? before.type : given.token_type,
    older: olderNames(before, given),
  };
  for (const name of ['ttl', 'maxTtl', 'period', 'explicitMaxTtl'] as const)
    if (next[name] < 0) return `'token_${snake(name)}' cannot be negative`;
  if (next.ttl > 0 && next.maxTtl > 0 && next.ttl > next.maxTtl)
    return "'token_ttl' cannot be greater than 'token_max_ttl'";
  if (next.numUses < 0) return "'token_num_uses' cannot be negative";
  if (!['default', 'service', 'batch', 'default-service', 'default-batch'].includes(next.type))
    return `invalid 'token_type' value ${JSON.stringify(next.type)}`;
  if (next.type === 'batch' || next.type === 'default-batch') {
    const what =
      next.period > 0 ? 'periodic tokens' : next.numUses > 0 ? 'tokens with limited use count' : undefined;
    if (what !== undefined)
      return `'token_type' cannot be 'batch' or 'default_batch' when set to generate ${what}`;
  }
  const wrong = next.boundCidrs.find((cidr) => !isCidr(cidr));
  return wrong === undefined ? next : `error parsing token_bound_cidrs: invalid CIDR address: ${wrong}`;
}

/** The fields as reads show them. */
export function renderTokenFields(parameters: TokenParameters): JsonObject {
  const fields: JsonObject = {
    token_bound_cidrs: [...parameters.boundCidrs],
    token_explicit_max_ttl: parameters.explicitMaxTtl,
    token_max_ttl: parameters.maxTtl,
    token_no_default_policy: parameters.noDefaultPolicy,
    token_num_uses: parameters.numUses,
    token_period: parameters.period,
    token_policies: [...parameters.policies],
    token_strictly_bind_ip: parameters.strictlyBindIp,
    token_ttl: parameters.ttl,
    token_type: parameters.type,
  };
  for (const name of parameters.older ?? []) {
    const value = fields[`token_${name}`];
    if (value !== undefined && value !== 0 && !(Array.isArray(value) && value.length === 0))
      fields[name] = value;
  }
  return fields;
}

/** What the parameters make of a login. @param remoteAddress where it comes from */
export function loginWith(
  parameters: TokenParameters,
  remoteAddress: string,
): Pick<
  Login,
  | 'policies'
  | 'noDefaultPolicy'
  | 'ttl'
  | 'maxTtl'
  | 'explicitMaxTtl'
  | 'period'
  | 'numUses'
  | 'tokenType'
  | 'boundCidrs'
> {
  return {
    policies: parameters.policies,
    noDefaultPolicy: parameters.noDefaultPolicy,
    ttl: parameters.ttl,
    maxTtl: parameters.maxTtl,
    explicitMaxTtl: parameters.explicitMaxTtl,
    period: parameters.period,
    numUses: parameters.numUses,
    tokenType: parameters.type,
    boundCidrs: parameters.strictlyBindIp ? [remoteAddress] : parameters.boundCidrs,
  };
}

// A write by the newer name alone ends the older one.
function olderNames(before: TokenParameters, given: GivenTokenFields): OlderName[] {
  return (Object.keys(olderTokenFields) as OlderName[]).filter(
    (name) =>
      given[name] !== undefined || (given[`token_${name}`] === undefined && before.older?.includes(name)),
  );
}

/** Names of policies as they are kept: in lower case, in order, each once. */
export function normalPolicies(names: readonly string[]): string[] {
  return [
    ...new Set(names.map((name) => name.trim().toLowerCase()).filter((name) => name !== '')),
  ].toSorted();
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
