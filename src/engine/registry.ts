import { createAppRole } from './auth/approle/approle.ts';
import { createCert } from './auth/cert/cert.ts';
import { createJwt } from './auth/jwt/jwt.ts';
import { createKubernetes } from './auth/kubernetes/kubernetes.ts';
import { createLdap } from './auth/ldap/ldap.ts';
import { createTokenAuth } from './auth/token/token.ts';
import { createUserpass } from './auth/userpass/userpass.ts';
import { aclOf } from './core/granted.ts';
import type { BackendContext, BackendFactories, BackendFactory } from './core/mounts.ts';
import { renderIdentity } from './core/render-identity.ts';
import { clearCubbyhole, createCubbyhole } from './secrets/cubbyhole/cubbyhole.ts';
import { createDatabase, databasePlugins } from './secrets/database/database.ts';
import { createIdentity } from './secrets/identity/identity.ts';
import { createKvV1 } from './secrets/kv/v1.ts';
import { createKvV2 } from './secrets/kv/v2.ts';
import { createPki } from './secrets/pki/pki.ts';
import { createSsh } from './secrets/ssh/ssh.ts';
import { createTotp } from './secrets/totp/totp.ts';
import { createTransit } from './secrets/transit/transit.ts';

/** Secrets engines, by the names that clients mount them under. One line each. */
const secrets: Record<string, BackendFactory> = {
  cubbyhole: ({ storage }) => createCubbyhole(storage),
  database: ({ storage, clock, random, passwordFrom }) =>
    createDatabase(storage, clock, random, passwordFrom),
  identity: (context) =>
    createIdentity(context, accessorOf(context.mountByAccessor), {
      hasAccessor: (accessor) => context.mountByAccessor(accessor)?.table === 'auth',
      hasType: context.hasAuthType,
    }),
  kv: ({ storage, clock, random, options }) =>
    options['version'] === '2' ? createKvV2(storage, clock, random) : createKvV1(storage),
  pki: ({ storage, clock, random, identity }) =>
    createPki({ storage, clock, random, templateValues: (id) => identity.templateValues(id) }),
  ssh: ({ storage, clock, random, identity }) =>
    createSsh(storage, clock, random, (text, entityId) => renderIdentity(identity, text, entityId)),
  totp: ({ storage, clock, random }) => createTotp(storage, clock, random),
  transit: ({ storage, clock, random }) => createTransit(storage, clock, random),
};

/** Auth methods, by the names that clients enable them under. One line each. */
const auth: Record<string, BackendFactory> = {
  approle: ({ storage, clock, random }) => createAppRole(storage, clock, random),
  cert: ({ storage, clock }) => createCert(storage, clock),
  jwt: ({ storage, clock, random }) => createJwt(storage, clock, random),
  kubernetes: ({ storage, clock }) => createKubernetes(storage, clock),
  ldap: ({ storage }) => createLdap(storage),
  // Another name of the same method.
  oidc: ({ storage, clock, random }) => createJwt(storage, clock, random),
  token: (context) => createTokenAuth(tokenPort(context), context.storage),
  userpass: ({ storage, random }) => createUserpass(storage, random),
};

export const factories: BackendFactories = { secrets, auth, databases: databasePlugins, clearCubbyhole };

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
    sweep: () => tokens.sweep(),
    now: () => Math.floor(clock.now() / 1000),
    hasSudo: async (token, path) => {
      if (token.policies.includes('root')) return true;
      const acl = await aclOf({ identity, policies }, token);
      return acl.allow({ operation: 'update', path, data: {} }).sudo;
    },
  };
}
