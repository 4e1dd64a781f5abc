import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPostgres, type TestDatabase } from '../api/support/databases.ts';
import { TestEngine } from '../api/support/engine.ts';

let engine: TestEngine;
let db: TestDatabase;
beforeAll(async () => {
  db = await startPostgres();
  await db.query("CREATE ROLE engine WITH SUPERUSER LOGIN PASSWORD 'canary-engine-pw'");
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/mounts/database', { type: 'database' });
  await engine.call('POST', 'database/config/main', {
    plugin_name: 'postgresql-database-plugin',
    connection_url: `postgresql://{{username}}:{{password}}@127.0.0.1:${db.port}/postgres?sslmode=disable`,
    allowed_roles: '*',
    username: 'engine',
    password: 'canary-engine-pw',
  });
});
afterAll(async () => {
  await engine.stop();
  await db.remove();
});

test('CVE-2026-39946: a schema whose name is SQL is a name when rights on it are taken back', async () => {
  await db.query('CREATE TABLE precious (id int)');
  const schemas = [
    'a"; DROP TABLE public.precious; --',
    'x FROM public; DROP TABLE public.precious; --',
    'Mixed "Case"',
    "it's",
  ];
  for (const schema of schemas) {
    const quoted = `"${schema.replaceAll('"', '""')}"`;
    await db.query(`CREATE SCHEMA ${quoted}`);
    await db.query(`CREATE TABLE ${quoted}.t (id int)`);
  }
  await engine.call('POST', 'database/roles/app', {
    db_name: 'main',
    creation_statements: [`CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}'`],
    default_ttl: '1h',
  });
  const { body } = await engine.call('GET', 'database/creds/app');
  for (const schema of schemas) {
    const quoted = `"${schema.replaceAll('"', '""')}"`;
    await db.query(`GRANT USAGE ON SCHEMA ${quoted} TO "${body.data.username}"`);
    await db.query(`GRANT SELECT ON ${quoted}.t TO "${body.data.username}"`);
  }
  expect(
    (await engine.call('PUT', 'sys/leases/revoke', { lease_id: body.lease_id, sync: true })).status,
  ).toBe(204);
  expect(await db.query(`SELECT 1 FROM pg_roles WHERE rolname = '${body.data.username}'`)).toEqual([]);
  expect(await db.query("SELECT 1 FROM pg_tables WHERE tablename = 'precious'")).toHaveLength(1);
});

test('CVE-2021-27400: the certificate of a database server is checked where the connection asks for TLS', async () => {
  for (const sslmode of ['verify-ca', 'verify-full']) {
    const answer = await engine.call('POST', 'database/config/tls', {
      plugin_name: 'postgresql-database-plugin',
      connection_url: `postgresql://{{username}}:{{password}}@127.0.0.1:${db.port}/postgres?sslmode=${sslmode}`,
      allowed_roles: '*',
      username: 'engine',
      password: 'canary-engine-pw',
    });
    // The server of this test has a certificate of nobody's authority.
    expect([sslmode, answer.status]).toEqual([sslmode, 400]);
  }
  expect(engine.logLines.join('')).not.toContain('canary-engine-pw');
});
