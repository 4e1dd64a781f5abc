import type { Json, JsonObject } from '../../../lib/json.ts';
import type { Response } from '../../logical/response.ts';
import { loginWith } from '../token-fields.ts';
import { claimAt, ClaimFailure, listOf, mapClaims, notBoundBy } from './claims.ts';
import type { JwtConfig, JwtRole } from './store.ts';

interface Proven {
  readonly config: JwtConfig;
  readonly role: JwtRole;
  readonly roleName: string;
  readonly claims: JsonObject;
  readonly remoteAddress: string;
  /** More of the token's metadata than the mappings make. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The login that proven claims are worth with a role. @returns why none */
export function loginOf(proven: Proven): Extract<Response, { kind: 'login' }> | { readonly failed: string } {
  const { role, roleName, claims } = proven;
  const user = role.userClaimIsPointer ? claimAt(claims, role.userClaim) : claims[role.userClaim];
  if (user === undefined || user === null)
    return { failed: `claim ${JSON.stringify(role.userClaim)} not found in token` };
  if (typeof user !== 'string')
    return { failed: `claim ${JSON.stringify(role.userClaim)} could not be converted to string` };
  const mapped = mapClaims(claims, role.claimMappings ?? {});
  if (mapped instanceof ClaimFailure) return { failed: mapped.message };
  const metadata = { ...mapped, role: roleName };
  const groups = groupsOf(proven);
  if ('failed' in groups) return groups;
  const unbound = notBoundBy(role.boundClaims ?? {}, claims, role.boundClaimsType);
  if (unbound !== undefined) return { failed: `error validating claims: ${unbound}` };
  return {
    kind: 'login',
    login: {
      ...loginWith(role.token, proven.remoteAddress),
      displayName: user,
      meta: { ...metadata, ...proven.metadata },
      alias: { name: user, metadata },
      groups: groups.names,
      renewal: { role: roleName },
    },
  };
}

function groupsOf({
  config,
  role,
  claims,
}: Proven): { readonly names: string[] } | { readonly failed: string } {
  if (role.groupsClaim === '') return { names: [] };
  const raw = claimAt(claims, role.groupsClaim);
  const quoted = JSON.stringify(role.groupsClaim);
  if (raw === undefined) return { failed: `failed to fetch groups: ${quoted} claim not found in token` };
  const list = listOf(split(raw, config));
  if (list === undefined) return { failed: `${quoted} claim could not be converted to string list` };
  const names: string[] = [];
  for (const each of list) {
    if (typeof each !== 'string')
      return { failed: `value ${JSON.stringify(each)} in groups claim could not be parsed as string` };
    if (each !== '') names.push(each);
  }
  return { names };
}

// Some providers send a list as one text.
function split(raw: Json, { providerConfig }: JwtConfig): Json {
  if (typeof raw !== 'string') return raw;
  const provider = providerConfig['provider'];
  if (provider === 'secureauth') return raw.split(',').map((each) => each.trim());
  return provider === 'ibmisam' ? raw.split(/\s+/) : raw;
}
