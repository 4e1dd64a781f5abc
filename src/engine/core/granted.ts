import type { IdentityStore } from '../identity/store.ts';
import type { TokenEntry } from '../logical/request.ts';
import type { Acl } from '../policy/policy.ts';
import type { PolicyStore } from './policies.ts';

/**
 * The policies that a token has by itself and by its entity.
 * @returns undefined while its entity is disabled: it may do nothing
 */
export async function policiesOf(
  identity: IdentityStore,
  { policies, entityId }: TokenEntry,
): Promise<readonly string[] | undefined> {
  if (entityId === '') return policies;
  const granted = await identity.policiesOf(entityId);
  if (granted.disabled) return undefined;
  return granted.identityPolicies.length === 0 ? policies : [...policies, ...granted.identityPolicies];
}

/** The rules that a token is under. */
export async function aclOf(
  { identity, policies }: { readonly identity: IdentityStore; readonly policies: PolicyStore },
  token: TokenEntry,
): Promise<Acl> {
  return policies.acl((await policiesOf(identity, token)) ?? [], token.entityId);
}
