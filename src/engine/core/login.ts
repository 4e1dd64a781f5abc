import { grant } from '../logical/grant-ttl.ts';
import type { Login } from '../logical/login.ts';
import { badRequest, permissionDenied, type Response } from '../logical/response.ts';
import type { Context } from './context.ts';

/** Makes the token of a proven identity: its entity, its external groups, its policies and its lifetime. */
export async function completeLogin(
  { vault, mounted, request }: Context,
  login: Login,
  given: readonly string[] = [],
): Promise<Response> {
  if (mounted === undefined) throw new TypeError('a login came from no mount');
  const { accessor, type } = mounted.entry;
  if (login.policies.includes('root')) return badRequest('auth methods cannot create root tokens');
  let entityId = '';
  let identityPolicies: readonly string[] = [];
  if (login.alias !== undefined) {
    const entity = await vault.identity.resolveAlias({
      ...login.alias,
      mountAccessor: accessor,
      mountType: type,
      mountPath: mounted.prefix,
    });
    entityId = entity.id;
    await vault.identity.setExternalGroups(entityId, accessor, login.groups);
    const granted = await vault.identity.policiesOf(entityId);
    if (granted.disabled) return permissionDenied;
    ({ identityPolicies } = granted);
  }
  const warnings = [...given];
  const { leaseTtl } = mounted;
  const max = login.maxTtl > 0 ? Math.min(login.maxTtl, leaseTtl.max) : leaseTtl.max;
  const ttl = grant(
    { wanted: login.ttl, period: login.period, explicitMaxTtl: login.explicitMaxTtl },
    { default: leaseTtl.default, max },
    warnings,
  );
  const policies = new Set(login.policies);
  if (!login.noDefaultPolicy) policies.add('default');
  const source = mounted.entry.path.replace(/\/$/, '').replaceAll('/', '-');
  const issued = await vault.tokens.create({
    parent: '',
    policies: [...policies].toSorted(),
    path: request.path,
    displayName: login.displayName === '' ? source : `${source}-${login.displayName}`,
    meta: login.meta,
    numUses: login.numUses,
    ttl,
    explicitMaxTtl: login.explicitMaxTtl,
    period: login.period,
    renewable: true,
    orphan: true,
    entityId,
    ...(login.boundCidrs.length === 0 ? {} : { boundCidrs: login.boundCidrs }),
    login: { accessor, ttl: login.ttl, maxTtl: max, renewal: login.renewal },
  });
  if (issued === undefined) return permissionDenied;
  return {
    kind: 'auth',
    auth: { clientToken: issued.text, entry: issued.entry, leaseDuration: ttl, identityPolicies },
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}
