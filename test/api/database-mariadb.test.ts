import { afterAll, beforeAll, expect, test } from 'vitest';
import { startMariadb, type TestDatabase } from './support/databases.ts';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
let db: TestDatabase;
const call = (...args: Parameters<TestEngine['call']>) => engine.call(...args);
const canLogIn = (user: string, password: string): Promise<boolean> =>
  db.query('SELECT 1', { user, password }).then(
    () => true,
    () => false,
  );
const exists = async (user: string) =>
  (await db.query(`SELECT 1 FROM mysql.user WHERE user = '${user}'`)).length === 1;

beforeAll(async () => {
  db = await startMariadb();
  await db.query("CREATE USER 'engine'@'%' IDENTIFIED BY 'canary-engine-pw'");
  await db.query("GRANT ALL PRIVILEGES ON *.* TO 'engine'@'%' WITH GRANT OPTION");
  await db.query("CREATE USER 'fixed'@'%' IDENTIFIED BY 'canary-first-pw'");
  engine = await TestEngine.initialized();
  await call('POST', 'sys/mounts/database', { type: 'database' });
});
afterAll(async () => {
  await engine.stop();
  await db.remove();
});

test('users are made, log in, are renewed and revoked', async () => {
  const config = {
    plugin_name: 'mysql-database-plugin',
    connection_url: `{{username}}:{{password}}@tcp(127.0.0.1:${db.port})/`,
    allowed_roles: '*',
    username: 'engine',
  };
  const wrong = await call('POST', 'database/config/main', { ...config, password: 'canary-wrong' });
  expect([wrong.status, wrong.body.errors[0]]).toEqual([
    400,
    expect.stringContaining('error verifying connection'),
  ]);
  expect(
    (await call('POST', 'database/config/main', { ...config, password: 'canary-engine-pw' })).status,
  ).toBe(204);
  await call('POST', 'database/roles/app', {
    db_name: 'main',
    creation_statements:
      "CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'; GRANT SELECT ON app.* TO '{{name}}'@'%';",
    default_ttl: '10m',
  });
  const { data, lease_id, lease_duration } = (await call('GET', 'database/creds/app')).body;
  expect(lease_duration).toBe(600);
  expect(data.username).toMatch(/^v-root-app-[0-9A-Za-z]{20}-\d*$/);
  expect(data.username.length).toBeLessThanOrEqual(32);
  expect(await canLogIn(data.username, data.password)).toBe(true);
  expect((await call('PUT', 'sys/leases/renew', { lease_id, increment: 1200 })).body.lease_duration).toBe(
    1200,
  );
  expect((await call('PUT', 'sys/leases/revoke', { lease_id, sync: true })).status).toBe(204);
  expect(await exists(data.username)).toBe(false);

  const lost = (await call('GET', 'database/creds/app')).body;
  await db.query(`DROP USER '${lost.data.username}'@'%'`);
  expect((await call('PUT', 'sys/leases/revoke', { lease_id: lost.lease_id, sync: true })).status).toBe(204);
});

test('a restart of the server is got over', async () => {
  expect((await call('GET', 'database/creds/app')).status).toBe(200);
  await db.stop();
  expect((await call('GET', 'database/creds/app')).status).toBe(500);
  await db.start();
  expect((await call('GET', 'database/creds/app')).status).toBe(200);
  expect((await call('PUT', 'sys/leases/revoke-prefix/database', { sync: true })).status).toBe(204);
  expect(await db.query("SELECT user FROM mysql.user WHERE user LIKE 'v-%'")).toEqual([]);
});

test('statements of a role replace the defaults, also when the role is gone', async () => {
  await call('POST', 'database/roles/own', {
    db_name: 'main',
    creation_statements: ["CREATE USER '{{name}}'@'localhost' IDENTIFIED BY '{{password}}'"],
    revocation_statements: ["DROP USER '{{name}}'@'localhost'"],
  });
  const { data, lease_id } = (await call('GET', 'database/creds/own')).body;
  expect(await exists(data.username)).toBe(true);
  await call('DELETE', 'database/roles/own');
  expect((await call('PUT', 'sys/leases/revoke', { lease_id, sync: true })).status).toBe(204);
  expect(await exists(data.username)).toBe(false);
});

test('an error of a statement does not show the password', async () => {
  await call('POST', 'database/roles/bad', {
    db_name: 'main',
    creation_statements: ["CREATE NONSENSE '{{password}}'"],
  });
  const failed = await call('GET', 'database/creds/bad');
  expect([failed.status, failed.body.errors[0]]).toEqual([500, expect.stringContaining('[password]')]);
});

test('static and root passwords are rotated', async () => {
  const body = { db_name: 'main', username: 'fixed', rotation_period: '24h' };
  expect((await call('POST', 'database/static-roles/fixed', body)).status).toBe(204);
  const first = (await call('GET', 'database/static-creds/fixed')).body.data;
  expect(first).toMatchObject({ username: 'fixed', rotation_period: 86_400 });
  expect(await canLogIn('fixed', 'canary-first-pw')).toBe(false);
  expect(await canLogIn('fixed', first.password)).toBe(true);
  await call('POST', 'database/rotate-role/fixed');
  expect(await canLogIn('fixed', first.password)).toBe(false);
  expect((await call('POST', 'database/rotate-root/main')).status).toBe(204);
  expect(await canLogIn('engine', 'canary-engine-pw')).toBe(false);
  await engine.restart();
  expect((await call('GET', 'database/creds/app')).status).toBe(200);
  expect(engine.logLines.join('')).not.toMatch(/canary-(engine|first|wrong|db)/);
});
