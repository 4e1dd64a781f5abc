import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPostgres, type TestDatabase } from './support/databases.ts';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
let db: TestDatabase;
const call = (...args: Parameters<TestEngine['call']>) => engine.call(...args);
const CREATE = [
  `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{{name}}"`,
];
const url = () => `postgresql://{{username}}:{{password}}@127.0.0.1:${db.port}/postgres?sslmode=disable`;
const configure = (name: string, more: object = {}) =>
  call('POST', `database/config/${name}`, {
    plugin_name: 'postgresql-database-plugin',
    connection_url: url(),
    allowed_roles: ['app*', 'static'],
    username: 'engine',
    password: 'canary-engine-pw',
    ...more,
  });
const creds = async (role = 'app') => (await call('GET', `database/creds/${role}`)).body;
const canLogIn = (user: string, password: string): Promise<boolean> =>
  db.query('SELECT 1', { user, password }).then(
    () => true,
    () => false,
  );
const exists = async (user: string) =>
  (await db.query(`SELECT 1 FROM pg_roles WHERE rolname = '${user}'`)).length === 1;
const eventually = async (claim: () => Promise<boolean>): Promise<void> => {
  for (let tries = 0; tries < 150; tries += 1) {
    if (await claim()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('it did not happen');
};

beforeAll(async () => {
  db = await startPostgres();
  await db.query("CREATE ROLE engine WITH SUPERUSER LOGIN PASSWORD 'canary-engine-pw'");
  await db.query("CREATE ROLE fixed WITH LOGIN PASSWORD 'canary-first-pw'");
  await db.query('CREATE TABLE facts (id int)');
  engine = await TestEngine.initialized();
  await call('POST', 'sys/mounts/database', { type: 'database' });
});
afterAll(async () => {
  await engine.stop();
  await db.remove();
});

test('a connection is verified, stored, read without its password, listed and reset', async () => {
  const wrong = await configure('main', { password: 'canary-wrong-pw' });
  expect(wrong.status).toBe(400);
  expect(wrong.body.errors[0]).toMatch(/^error creating database object: error verifying connection: /);
  expect((await call('GET', 'database/config/main')).status).toBe(404);
  expect((await call('POST', 'database/config/x', {})).body.errors).toEqual(['empty plugin name']);
  expect(
    (await call('POST', 'database/config/x', { plugin_name: 'postgresql-database-plugin' })).body.errors,
  ).toEqual(['error creating database object: connection_url cannot be empty']);
  expect((await configure('main')).status).toBe(204);
  expect((await call('GET', 'database/config/main')).body.data).toEqual({
    allowed_roles: ['app*', 'static'],
    connection_details: { connection_url: url(), username: 'engine' },
    password_policy: '',
    plugin_name: 'postgresql-database-plugin',
    plugin_version: '',
    root_credentials_rotate_statements: [],
  });
  const open = `postgresql://engine:canary-engine-pw@127.0.0.1:${db.port}/postgres?sslmode=prefer`;
  const inUrl = await configure('inurl', { connection_url: open, username: '', password: '' });
  expect(inUrl.body.warnings[0]).toContain('Password found in connection_url');
  expect((await call('GET', 'database/config/inurl')).body.data.connection_details.connection_url).toContain(
    'engine:xxxxx@',
  );
  expect((await call('LIST', 'database/config')).body.data.keys).toEqual(['inurl', 'main']);
  expect((await call('POST', 'database/reset/main')).status).toBe(204);
  expect((await call('POST', 'database/reset/none')).status).toBe(500);
  expect((await call('POST', 'database/reload/postgresql-database-plugin')).body.data).toEqual({
    connections: ['inurl', 'main'],
    count: 2,
  });
  expect((await call('DELETE', 'database/config/inurl')).status).toBe(204);
});

test('the server is believed as far as sslmode says', async () => {
  const at = (mode: string, host = '127.0.0.1') =>
    `postgresql://{{username}}:{{password}}@${host}:${db.port}/postgres?sslmode=${mode}`;
  const status = async (connection_url: string, more: object = {}) =>
    (await configure('tls', { connection_url, ...more })).status;
  for (const mode of ['disable', 'prefer', 'require']) expect(await status(at(mode))).toBe(204);
  expect(await status(at('verify-full'))).toBe(400);
  const tls_ca = db.certificate;
  for (const mode of ['require', 'verify-ca', 'verify-full'])
    expect(await status(at(mode), { tls_ca })).toBe(204);
  const { body } = await configure('tls2', { connection_url: at('verify-ca'), tls_ca: '' });
  expect(body.errors[0]).toContain('error verifying connection');
  const pairs = `host=127.0.0.1 port=${db.port} user={{username}} password='{{password}}' dbname=postgres`;
  expect(await status(pairs)).toBe(204);
  expect((await call('DELETE', 'database/config/tls')).status).toBe(204);
});

test('a role makes users that log in, are renewed, and are gone with their lease', async () => {
  expect((await call('GET', 'database/creds/app')).body.errors).toEqual(['unknown role: app']);
  expect((await call('POST', 'database/roles/app', {})).body.errors).toEqual(['database name is required']);
  await call('POST', 'database/roles/app', {
    db_name: 'main',
    creation_statements: CREATE,
    default_ttl: '1h',
    max_ttl: '2h',
  });
  expect((await call('GET', 'database/roles/app')).body.data).toEqual({
    creation_statements: CREATE,
    credential_type: 'password',
    db_name: 'main',
    default_ttl: 3600,
    max_ttl: 7200,
    renew_statements: [],
    revocation_statements: [],
    rollback_statements: [],
  });
  const made = await creds();
  expect(made).toMatchObject({ renewable: true, lease_duration: 3600 });
  expect(made.lease_id).toMatch(/^database\/creds\/app\/[0-9A-Za-z]{24}$/);
  const { username, password } = made.data;
  expect(username).toMatch(/^v-root-app-[0-9A-Za-z]{20}-\d{10}$/);
  expect(password).toMatch(/^[0-9A-Za-z]{3}-[0-9A-Za-z]{16}$/);
  expect(await canLogIn(username, password)).toBe(true);

  const renewed = await call('PUT', 'sys/leases/renew', { lease_id: made.lease_id, increment: '3h' });
  expect(renewed.body).toMatchObject({ lease_id: made.lease_id, renewable: true, data: null });
  expect(renewed.body.lease_duration).toBeGreaterThan(7190);
  expect(renewed.body.warnings[0]).toMatch(/^TTL of "3h0m0s" exceeded the effective max_ttl of/);
  const [row] = await db.query(`SELECT rolvaliduntil AS until FROM pg_roles WHERE rolname = '${username}'`);
  expect(Number(row?.['until'])).toBeGreaterThan(Date.now() + 7_100_000);

  expect((await call('PUT', 'sys/leases/revoke', { lease_id: made.lease_id, sync: true })).status).toBe(204);
  expect(await exists(username)).toBe(false);
});

test('leases end with their token, their time, their prefix and their mount', async () => {
  const rules = 'path "database/creds/*" { capabilities = ["read"] }';
  await call('PUT', 'sys/policies/acl/db', { policy: rules });
  const { client_token } = (await call('POST', 'auth/token/create', { policies: ['db'] })).body.auth;
  const own = (await call('GET', 'database/creds/app', undefined, client_token)).body.data.username;
  expect(own).toMatch(/^v-token-app-/);
  await call('POST', 'auth/token/revoke', { token: client_token });
  await eventually(async () => !(await exists(own)));

  const once = (await call('POST', 'auth/token/create', { policies: ['db'], num_uses: 1 })).body.auth;
  const last = await call('GET', 'database/creds/app', undefined, once.client_token);
  expect([last.status, last.body.errors[0]]).toEqual([
    400,
    expect.stringContaining('token had one use left'),
  ]);

  await call('POST', 'database/roles/app-short', {
    db_name: 'main',
    creation_statements: CREATE,
    default_ttl: 2,
  });
  const short = (await creds('app-short')).data.username;
  await engine.restart();
  await eventually(async () => !(await exists(short)));

  const wrapped = await call('GET', 'database/creds/app', undefined, undefined, { 'X-Vault-Wrap-TTL': '60' });
  const inside = await call('POST', 'sys/wrapping/unwrap', {}, wrapped.body.wrap_info.token);
  expect(inside.body.lease_duration).toBe(3600);
  const users = [inside.body.data.username, (await creds()).data.username];
  expect(await exists(users[0])).toBe(true);
  expect((await call('PUT', 'sys/leases/revoke-prefix/database/creds/app', { sync: true })).status).toBe(204);
  for (const user of users) expect(await exists(user)).toBe(false);

  await call('POST', 'sys/mounts/other', { type: 'database' });
  const body = { plugin_name: 'postgresql-database-plugin', connection_url: url(), allowed_roles: '*' };
  await call('POST', 'other/config/main', { ...body, username: 'engine', password: 'canary-engine-pw' });
  await call('POST', 'other/roles/r', { db_name: 'main', creation_statements: CREATE });
  const gone = (await call('GET', 'other/creds/r')).body.data.username;
  expect((await call('DELETE', 'sys/mounts/other')).status).toBe(204);
  expect(await exists(gone)).toBe(false);
});

test('a revocation that fails keeps the lease, and is done when the database is back', async () => {
  const made = await creds();
  await db.stop();
  const failed = await call('PUT', 'sys/leases/revoke', { lease_id: made.lease_id, sync: true });
  expect(failed.status).toBe(400);
  expect((await call('GET', 'database/creds/app')).status).toBe(500);
  expect((await call('DELETE', 'sys/mounts/database')).status).toBe(400);
  expect((await call('PUT', 'sys/leases/lookup', { lease_id: made.lease_id })).status).toBe(200);
  await db.start();
  expect((await call('PUT', 'sys/leases/revoke', { lease_id: made.lease_id, sync: true })).status).toBe(204);
  expect(await exists(made.data.username)).toBe(false);
});

test('statements that fail leave nothing, and their error does not show the password', async () => {
  await call('POST', 'database/roles/app-bad', {
    db_name: 'main',
    creation_statements: [
      `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}'`,
      `GRANT NOTHING TO '{{password}}'`,
    ],
  });
  const before = await db.query('SELECT count(*) AS n FROM pg_roles');
  const failed = await call('GET', 'database/creds/app-bad');
  expect(failed.status).toBe(500);
  expect(failed.body.errors[0]).toContain('[password]');
  expect(await db.query('SELECT count(*) AS n FROM pg_roles')).toEqual(before);
  await call('POST', 'database/roles/nope', { db_name: 'main', creation_statements: CREATE });
  expect((await call('GET', 'database/creds/nope')).body.errors[0]).toContain(
    '"nope" is not an allowed role',
  );
});

test('names and passwords follow the template and the policy', async () => {
  await call('POST', 'sys/policies/password/digits', {
    policy: 'length = 12\nrule "charset" { charset = "0123456789" }',
  });
  const template =
    '{{ .RoleName | uppercase | replace "APP" "x" }}_{{ random 6 | lowercase }}{{ truncate 2 "abc" }}';
  await configure('main', { username_template: template, password_policy: 'digits' });
  const { username, password } = (await creds()).data;
  expect(username).toMatch(/^x_[0-9a-z]{6}ab$/);
  expect(password).toMatch(/^\d{12}$/);
  expect((await configure('main', { username_template: '{{ nothing }}' })).body.errors[0]).toContain(
    'function "nothing" not defined',
  );
  await configure('main', {
    username_template: '',
    password_policy: '',
    password_authentication: 'scram-sha-256',
  });
  const hashed = (await creds()).data;
  expect(await canLogIn(hashed.username, hashed.password)).toBe(true);
});

test('a static role takes over a user and rotates it, by request and by itself', async () => {
  const role = (body: object) => call('POST', 'database/static-roles/static', body);
  expect((await role({ db_name: 'main' })).body.errors).toEqual([
    'username is a required field to create a static account',
  ]);
  expect((await role({ db_name: 'main', username: 'fixed', rotation_period: 1 })).body.errors).toEqual([
    'rotation_period must be 5 seconds or more',
  ]);
  expect((await role({ db_name: 'main', username: 'fixed', rotation_period: 3600 })).status).toBe(204);
  const read = async () => (await call('GET', 'database/static-creds/static')).body.data;
  const first = await read();
  expect(first).toMatchObject({ username: 'fixed', rotation_period: 3600 });
  expect(first.ttl).toBeGreaterThan(3590);
  expect(await canLogIn('fixed', 'canary-first-pw')).toBe(false);
  expect(await canLogIn('fixed', first.password)).toBe(true);
  expect((await call('POST', 'database/rotate-role/static')).status).toBe(204);
  const second = await read();
  expect(await canLogIn('fixed', first.password)).toBe(false);
  expect(await canLogIn('fixed', second.password)).toBe(true);

  await db.stop();
  expect((await call('POST', 'database/rotate-role/static')).body.errors[0]).toContain(
    'retries will continue',
  );
  expect((await read()).password).toBe(second.password);
  await engine.restart();
  await db.start();
  await eventually(async () => (await read()).password !== second.password);
  expect(await canLogIn('fixed', (await read()).password)).toBe(true);

  expect((await role({ username: 'other' })).body.errors).toEqual(['cannot update static account username']);
  expect((await role({ rotation_period: 5 })).status).toBe(204);
  const third = (await read()).password;
  await eventually(async () => (await read()).password !== third);
  expect((await role({ rotation_schedule: '0 3 * * SUN' })).status).toBe(204);
  expect((await call('GET', 'database/static-roles/static')).body.data).toMatchObject({
    rotation_schedule: '0 3 * * SUN',
    username: 'fixed',
  });
  expect((await call('POST', 'database/roles/static', { db_name: 'main' })).status).toBe(400);
  expect((await call('LIST', 'database/static-roles')).body.data.keys).toEqual(['static']);
  expect((await call('DELETE', 'database/static-roles/static')).status).toBe(204);
  expect((await call('POST', 'database/rotate-role/static')).status).toBe(400);
});

test('the root password is rotated while credentials are asked for, and nobody knows it', async () => {
  const [rotated, ...others] = await Promise.all([
    call('POST', 'database/rotate-root/main'),
    ...[1, 2, 3, 4].map(() => call('GET', 'database/creds/app')),
  ]);
  expect(rotated.status).toBe(204);
  expect(others.flatMap(({ body }) => body.errors ?? [])).toEqual([]);
  expect(await canLogIn('engine', 'canary-engine-pw')).toBe(false);
  await engine.restart();
  expect((await creds()).lease_duration).toBe(3600);
  await Promise.all(Array.from({ length: 20 }, () => creds()));
  expect((await call('PUT', 'sys/leases/revoke-prefix/database', { sync: true })).status).toBe(204);
  expect(await db.query("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%'")).toEqual([]);
  expect(engine.logLines.join('')).not.toMatch(/canary-(engine|first|wrong|db)/);
});
