import { matchesGlob } from '../../../lib/glob.ts';
import { getJson, jsonPut, type Storage } from '../../logical/storage.ts';

/** What a role allows and sets; times in seconds. */
export interface TokenRole {
  readonly name: string;
  readonly allowedPolicies: readonly string[];
  readonly allowedPoliciesGlob: readonly string[];
  readonly disallowedPolicies: readonly string[];
  readonly disallowedPoliciesGlob: readonly string[];
  readonly orphan: boolean;
  readonly renewable: boolean;
  readonly pathSuffix: string;
  readonly period: number;
  readonly explicitMaxTtl: number;
  readonly noDefaultPolicy: boolean;
  readonly numUses: number;
  readonly tokenType: string;
  readonly boundCidrs?: readonly string[];
  /** Lower case; may hold globs. */
  readonly allowedEntityAliases?: readonly string[];
}

/** Token roles, by name. */
export class RoleStore {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  get(name: string): Promise<TokenRole | undefined> {
    return getJson<TokenRole>(this.#storage, `roles/${name}`);
  }

  put(role: TokenRole): Promise<void> {
    return this.#storage.write([jsonPut(`roles/${role.name}`, role)]);
  }

  delete(name: string): Promise<void> {
    return this.#storage.delete(`roles/${name}`);
  }

  names(): Promise<string[]> {
    return this.#storage.list('roles/');
  }
}

/**
 * The policies of a token made with a role that names policies. Without any, the parent's are the limit, as without a role.
 * @param given what was asked for, lower case; empty: what the role allows by name
 * @returns a refusal as text, or the policies without `default`'s treatment
 */
export function rolePolicies(
  role: TokenRole,
  given: readonly string[],
  withDefault: boolean,
): string[] | string {
  const wanted = given.length === 0 ? [...role.allowedPolicies] : [...given];
  const checked = forbidden(role, wanted);
  if (typeof checked === 'string') return checked;
  const names = withDefault ? [...role.allowedPolicies, 'default'] : role.allowedPolicies;
  const allowed = (policy: string): boolean =>
    names.includes(policy) || role.allowedPoliciesGlob.some((glob) => matchesGlob(glob, policy));
  if (!wanted.every(allowed)) {
    return `token policies (${list(wanted)}) must be subset of the role's allowed policies (${list([...new Set(names)].toSorted(byName))}) or glob policies (${list(role.allowedPoliciesGlob)})`;
  }
  return wanted;
}

/** @returns the policies themselves, or a refusal that names the one which the role forbids */
export function forbidden(role: TokenRole, wanted: readonly string[]): string[] | string {
  const found = wanted.find(
    (policy) =>
      role.disallowedPolicies.includes(policy) ||
      role.disallowedPoliciesGlob.some((glob) => matchesGlob(glob, policy)),
  );
  return found === undefined
    ? [...wanted]
    : `token policy ${JSON.stringify(found)} is disallowed by this role`;
}

/** @returns whether a role limits policies by name or glob. */
export function namesPolicies(role: TokenRole): boolean {
  return role.allowedPolicies.length > 0 || role.allowedPoliciesGlob.length > 0;
}

/** @returns whether tokens of a role may be made for the entity of an alias. */
export function allowsAlias(role: TokenRole, alias: string): boolean {
  return (role.allowedEntityAliases ?? []).some((glob) => matchesGlob(glob, alias.toLowerCase()));
}

function list(names: readonly string[]): string {
  return `[${names.map((name) => JSON.stringify(name)).join(' ')}]`;
}

function byName(a: string, b: string): number {
  return a < b ? -1 : 1;
}
