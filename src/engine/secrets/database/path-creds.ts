import { leaseTtl } from '../../logical/grant-ttl.ts';
import type { HeldLease, SecretRenewal } from '../../logical/lease.ts';
import { type Path, path } from '../../logical/logical.ts';
import type { LogicalRequest } from '../../logical/request.ts';
import { badRequest, type Response } from '../../logical/response.ts';
import type { Connection } from './connections.ts';
import { allowsRole, type DatabaseContext, nameField } from './context.ts';
import { DatabaseFailed, failure, orFailure } from './errors.ts';
import { makePassword } from './passwords.ts';
import { fillTemplate, TemplateInvalid } from './template.ts';

// The user outlives the lease a little, so that it never ends first.
const MARGIN_SECONDS = 5;

/** creds/:name: a new user for whoever asks, with a lease. */
export function credsPaths(context: DatabaseContext): Path[] {
  return [
    path({
      pattern: 'creds/:name',
      synopsis: 'Request database credentials for a certain role.',
      fields: { name: nameField },
      operations: {
        read: {
          summary: 'Generate credentials.',
          handler: (request, values) => orFailure(() => create(context, request, values.name)),
        },
      },
    }),
  ];
}

async function create(context: DatabaseContext, request: LogicalRequest, name: string): Promise<Response> {
  const { store, connections, clock, random, passwordFrom } = context;
  const role = await store.role(name);
  if (role === undefined) return badRequest(`unknown role: ${name}`);
  const config = await store.config(role.dbName);
  if (config === undefined)
    return failure(`failed to find entry for connection with name: ${JSON.stringify(role.dbName)}`);
  if (!allowsRole(config.allowedRoles, name))
    return failure(`${JSON.stringify(name)} is not an allowed role`);
  if (role.credentialType !== 'password')
    return badRequest(`unsupported credential_type: ${JSON.stringify(role.credentialType)}`);
  if (role.creation.length === 0) return failure('empty creation statements');
  const full = await request.leasePlace?.();
  if (full !== undefined) return full;
  const now = Math.floor(clock.now() / 1000);
  const wanted = { increment: 0, ttl: role.defaultTtl, maxTtl: role.maxTtl, issueTime: now, now };
  const ttl = leaseTtl(wanted, request.leaseTtl, []) ?? 0;
  const policy = role.credentialConfig['password_policy'] || config.passwordPolicy;
  const password = await makePassword(policy, passwordFrom, random);
  const username = await connections.use(
    role.dbName,
    async (connection) => {
      const made = newName(context, connection, request.token?.displayName ?? '', name);
      await connection.plugin.newUser({
        username: made,
        password,
        expiration: new Date((now + ttl + MARGIN_SECONDS) * 1000),
        statements: role.creation,
        rollback: role.rollback,
      });
      return made;
    },
    [password],
  );
  return {
    kind: 'secret',
    data: { password, username },
    lease: {
      ttl: role.defaultTtl,
      maxTtl: role.maxTtl,
      renewable: true,
      internal: {
        username,
        role: name,
        db_name: role.dbName,
        revocation_statements: [...role.revocation],
      },
    },
  };
}

/** Extends the user of a lease. @throws ERR_DATABASE */
export async function renewCreds(context: DatabaseContext, lease: HeldLease): Promise<SecretRenewal> {
  const { username, role: name } = lease.internal;
  if (typeof username !== 'string' || typeof name !== 'string')
    return { refused: 'secret is missing "username" field in internal data' };
  const role = await context.store.role(name);
  if (role === undefined)
    return { refused: `error during renew: could not find role with name ${JSON.stringify(name)}` };
  const now = Math.floor(context.clock.now() / 1000);
  const { increment, issueTime, limits } = lease;
  const ttl = leaseTtl({ increment, ttl: role.defaultTtl, maxTtl: role.maxTtl, issueTime, now }, limits, []);
  if (ttl !== undefined) {
    const expiration = new Date((now + ttl + MARGIN_SECONDS) * 1000);
    await context.connections.use(role.dbName, ({ plugin }) =>
      plugin.changeExpiration({ username, expiration, statements: role.renew }),
    );
  }
  return { ttl: role.defaultTtl, maxTtl: role.maxTtl };
}

/** Removes the user of a lease, also when its role is gone. @throws ERR_DATABASE */
export async function revokeCreds({ store, connections }: DatabaseContext, lease: HeldLease): Promise<void> {
  const { username, role: name, db_name: dbName, revocation_statements: statements } = lease.internal;
  if (typeof username !== 'string' || typeof name !== 'string' || typeof dbName !== 'string')
    throw new DatabaseFailed('the lease does not say whose it is');
  const role = await store.role(name);
  const kept = Array.isArray(statements) ? statements.filter((each) => typeof each === 'string') : [];
  await connections.use(role?.dbName ?? dbName, ({ plugin }) =>
    plugin.deleteUser({ username, statements: role?.revocation ?? kept }),
  );
}

// Names of logins may hold anything; within a statement, nothing may end the name.
function newName(
  { random, clock }: DatabaseContext,
  { usernames }: Connection,
  displayName: string,
  roleName: string,
): string {
  const safe = (text: string): string => text.replaceAll(/["'`\\;\p{Cc}]/gu, '-');
  const fields = { DisplayName: safe(displayName), RoleName: safe(roleName) };
  const made = fillTemplate(usernames, { fields, random, now: clock.now() });
  if (made instanceof TemplateInvalid)
    throw new DatabaseFailed(`unable to generate username: ${made.message}`);
  return made;
}
