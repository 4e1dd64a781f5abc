import { grant } from '../logical/grant-ttl.ts';
import type { Login } from '../logical/login.ts';
import type { NewToken, TokenEntry } from '../logical/request.ts';
import { badRequest, permissionDenied, type Response } from '../logical/response.ts';
import type { Mounted } from '../mount/mount.ts';
import type { Context } from './context.ts';

/** Makes the token of a proven identity: its entity, its external groups, its second factor, its policies and its lifetime. */
export async function completeLogin(
  context: Context,
  login: Login,
  given: readonly string[] = [],
): Promise<Response> {
  const { vault, mounted, request } = context;
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
  const finish = (): Promise<Response> =>
    issue(context, mounted, login, { entityId, identityPolicies, given });
  return vault.secondFactors.demand(entityId, { accessor, type }, request.headers['x-vault-mfa'], {
    atOnce: finish,
    later: () => finishLater(context, mounted, login, { entityId, given }),
  });
}

// Between the factors the user, the entity or the mount may have gone: all are asked again, as for a renewal.
async function finishLater(
  context: Context,
  { entry: { accessor } }: Mounted,
  login: Login,
  { entityId, given }: Omit<Identified, 'identityPolicies'>,
): Promise<Response> {
  const { vault, logical } = context;
  const mounted = vault.mounts.byAccessor(accessor);
  if (mounted === undefined) return permissionDenied;
  return vault.mounts.serve(mounted, async (still) => {
    if (!still) return permissionDenied;
    const { identityPolicies, disabled } = await vault.identity.policiesOf(entityId);
    if (disabled) return permissionDenied;
    const refused = await mounted.backend.renewLogin?.(provisional(login, accessor), logical);
    return refused === undefined
      ? issue(context, mounted, login, { entityId, identityPolicies, given })
      : permissionDenied;
  });
}

// The token that the login would give, as far as its method judges it.
function provisional(login: Login, accessor: string): TokenEntry {
  return {
    hash: '',
    accessor: '',
    parent: '',
    policies: policiesOf(login),
    path: '',
    displayName: login.displayName,
    meta: login.meta,
    numUses: 0,
    creationTime: 0,
    creationTtl: 0,
    expireTime: 0,
    lastRenewal: 0,
    explicitMaxTtl: 0,
    period: 0,
    renewable: true,
    orphan: true,
    entityId: '',
    type: 'service',
    login: { accessor, ttl: login.ttl, maxTtl: login.maxTtl, renewal: login.renewal },
  };
}

function policiesOf({ policies, noDefaultPolicy }: Login): string[] {
  return [...new Set([...policies, ...(noDefaultPolicy ? [] : ['default'])])].toSorted();
}

interface Identified {
  readonly entityId: string;
  readonly identityPolicies: readonly string[];
  readonly given: readonly string[];
}

async function issue(
  { vault, request, place }: Context,
  { entry: { accessor, config, path }, leaseTtl }: Mounted,
  login: Login,
  { entityId, identityPolicies, given }: Identified,
): Promise<Response> {
  const warnings = [...given];
  const max = login.maxTtl > 0 ? Math.min(login.maxTtl, leaseTtl.max) : leaseTtl.max;
  const ttl = grant(
    { wanted: login.ttl, period: login.period, explicitMaxTtl: login.explicitMaxTtl },
    { default: leaseTtl.default, max },
    warnings,
  );
  const source = path.replace(/\/$/, '').replaceAll('/', '-');
  const tokenKind = tokenType(config.tokenType, login.tokenType);
  const isBatch = tokenKind === 'batch';
  const full = await place?.take();
  if (full !== undefined) return full;
  const creation: NewToken = {
    parent: '',
    policies: policiesOf(login),
    path: request.path,
    displayName: login.displayName === '' ? source : `${source}-${login.displayName}`,
    meta: login.meta,
    numUses: isBatch ? 0 : login.numUses,
    ttl,
    explicitMaxTtl: isBatch ? 0 : login.explicitMaxTtl,
    period: isBatch ? 0 : login.period,
    renewable: !isBatch,
    orphan: true,
    entityId,
    type: tokenKind,
    ...(login.boundCidrs.length === 0 ? {} : { boundCidrs: login.boundCidrs }),
    login: { accessor, ttl: login.ttl, maxTtl: max, renewal: login.renewal },
  };
  let issued: Awaited<ReturnType<typeof vault.tokens.create>>;
  try {
    issued = await vault.tokens.create(creation);
    if (issued !== undefined) place?.keepToken(issued.entry);
  } finally {
    place?.giveBack();
  }
  if (issued === undefined) return permissionDenied;
  return {
    kind: 'auth',
    auth: { clientToken: issued.text, entry: issued.entry, leaseDuration: ttl, identityPolicies },
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

// A mount may force a type; otherwise the method's role decides, and the mount where the role has no wish.
function tokenType(ofMount: string | undefined, ofRole: string): 'service' | 'batch' {
  if (ofMount === 'service' || ofMount === 'batch') return ofMount;
  if (ofRole === 'default') return ofMount === 'default-batch' ? 'batch' : 'service';
  return ofRole === 'batch' || ofRole === 'default-batch' ? 'batch' : 'service';
}
