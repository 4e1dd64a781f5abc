import { clearCubbyhole, createCubbyhole } from './secrets/cubbyhole/cubbyhole.ts';
import { createTokenAuth } from './auth/token/token.ts';
import { createIdentity } from './secrets/identity/identity.ts';
import { databasePlugins } from './secrets/database/plugin-names.ts';
import { aclOf } from './core/granted.ts';
import type { BackendContext, BackendFactories, BackendFactory } from './core/backend-factory.ts';
import { renderIdentity } from './core/render-identity.ts';
import { kvFormat } from './secrets/kv/upgrade.ts';
import { sealWrapped } from './seal-wrapped.ts';

/** Secrets engines, by the names that clients mount them under. One line each; what is not mounted is not loaded. */
const secrets: Record<string, BackendFactory> = {
  cubbyhole: ({ storage }) => createCubbyhole(storage),
  database: async ({ storage, clock, random, passwordFrom }) =>
    (await import('./secrets/database/database.ts')).createDatabase(storage, clock, random, passwordFrom),
  identity: (context) =>
    createIdentity(context, accessorOf(context.mountByAccessor), {
      hasAccessor: (accessor) => context.mountByAccessor(accessor)?.table === 'auth',
      hasType: context.hasAuthType,
    }),
  kv: async ({ storage, clock, random, format }) =>
    format === '2'
      ? (await import('./secrets/kv/v2.ts')).createKvV2(storage, clock, random)
      : (await import('./secrets/kv/v1.ts')).createKvV1(storage),
  pki: async ({ storage, clock, random, identity, openManagedKey }) =>
    (await import('./secrets/pki/pki.ts')).createPki({
      storage,
      clock,
      random,
      openManagedKey,
      templateValues: (id) => identity.templateValues(id),
    }),
  ssh: async ({ storage, clock, random, identity }) =>
    (await import('./secrets/ssh/ssh.ts')).createSsh(storage, clock, random, (text, entityId) =>
      renderIdentity(identity, text, entityId),
    ),
  totp: async ({ storage, clock, random }) =>
    (await import('./secrets/totp/totp.ts')).createTotp(storage, clock, random),
  transit: async ({ storage, clock, random, keyRandom, openManagedKey }) =>
    (await import('./secrets/transit/transit.ts')).createTransit(
      storage,
      clock,
      random,
      keyRandom,
      openManagedKey,
    ),
};

/** Auth methods, by the names that clients enable them under. One line each; what is not enabled is not loaded. */
const auth: Record<string, BackendFactory> = {
  approle: async ({ storage, clock, random }) =>
    (await import('./auth/approle/approle.ts')).createAppRole(storage, clock, random),
  cert: async ({ storage, clock }) => (await import('./auth/cert/cert.ts')).createCert(storage, clock),
  jwt: async ({ storage, clock, random }) =>
    (await import('./auth/jwt/jwt.ts')).createJwt(storage, clock, random),
  kubernetes: async ({ storage, clock }) =>
    (await import('./auth/kubernetes/kubernetes.ts')).createKubernetes(storage, clock),
  ldap: async ({ storage }) => (await import('./auth/ldap/ldap.ts')).createLdap(storage),
  // Another name of the same method.
  oidc: async ({ storage, clock, random }) =>
    (await import('./auth/jwt/jwt.ts')).createJwt(storage, clock, random),
  token: (context) => createTokenAuth(tokenPort(context), context.storage),
  userpass: async ({ storage, random }) =>
    (await import('./auth/userpass/userpass.ts')).createUserpass(storage, random),
};

export const factories: BackendFactories = {
  secrets,
  auth,
  databases: databasePlugins,
  clearCubbyhole,
  sealWrapped,
  formats: { kv: kvFormat },
};

function accessorOf(find: BackendContext['mountByAccessor']): Parameters<typeof createIdentity>[1] {
  return (accessor) => {
    const entry = find(accessor);
    if (entry === undefined) return undefined;
    const { type, local, table } = entry;
    return { type, local, path: table === 'auth' ? `auth/${entry.path}` : entry.path };
  };
}

function tokenPort({
  tokens,
  policies,
  identity,
  backendByAccessor,
  accessor,
  clock,
}: BackendContext): Parameters<typeof createTokenAuth>[0] {
  return {
    lookup: (text) => tokens.lookup(text),
    byAccessor: (accessor) => tokens.byAccessor(accessor),
    accessors: () => tokens.accessors(),
    create: (request) => tokens.create(request),
    renew: (entry, ttl) => tokens.renew(entry, ttl),
    renewLogin: async (entry, request) => {
      const backend = backendByAccessor(entry.login?.accessor ?? '');
      if (backend?.renewLogin === undefined) return { refused: 'the auth method of this token is gone' };
      return backend.renewLogin(entry, request);
    },
    entityOf: (name) =>
      identity.resolveAlias({ name, mountAccessor: accessor, mountType: 'token', mountPath: 'auth/token/' }),
    identityPolicies: async ({ entityId }) =>
      entityId === '' ? [] : (await identity.policiesOf(entityId)).identityPolicies,
    revoke: (hash) => tokens.revoke(hash),
    revokeOrphan: (hash) => tokens.revokeOrphan(hash),
    startTidy: () => tokens.startTidy(),
    now: () => Math.floor(clock.now() / 1000),
    hasPolicy: async (name) => name === 'root' || (await policies.get(name)) !== undefined,
    hasSudo: async (token, path) => {
      if (token.policies.includes('root')) return true;
      const acl = await aclOf({ identity, policies }, token);
      return acl.allow({ operation: 'update', path }).sudo;
    },
  };
}
