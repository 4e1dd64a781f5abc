import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/auth/userpass', { type: 'userpass' });
  await engine.call('POST', 'sys/auth/approle', { type: 'approle' });
  await engine.call('PUT', 'sys/policies/acl/reader', {
    policy: 'path "cubbyhole/*" { capabilities = ["read"] }\npath "sys/mounts" { capabilities = ["read"] }',
  });
});
afterAll(async () => engine.stop());

test('a user logs in, is limited by policy and entity, renews, and is refused after deletion', async () => {
  expect(
    (await engine.call('POST', 'auth/userpass/users/Alice', { token_policies: 'reader' })).body.errors,
  ).toEqual(['missing password']);
  expect(
    (
      await engine.call('POST', 'auth/userpass/users/Alice', {
        password: 'canary-pw-1',
        token_policies: 'reader',
        token_ttl: '10m',
        token_max_ttl: '1h',
      })
    ).status,
  ).toBe(204);
  const read = await engine.call('GET', 'auth/userpass/users/alice');
  expect(read.body.data).toMatchObject({
    token_policies: ['reader'],
    token_ttl: 600,
    token_max_ttl: 3600,
    token_type: 'default',
  });
  expect(JSON.stringify(read.body)).not.toContain('canary-pw-1');
  expect((await engine.call('LIST', 'auth/userpass/users')).body.data.keys).toEqual(['alice']);

  const wrong = await engine.call('POST', 'auth/userpass/login/alice', { password: 'no' }, '');
  expect([wrong.status, wrong.body.errors]).toEqual([400, ['invalid username or password']]);
  const login = await engine.call('POST', 'auth/userpass/login/Alice', { password: 'canary-pw-1' }, '');
  expect(login.status).toBe(200);
  const { auth } = login.body;
  expect(auth).toMatchObject({
    policies: ['default', 'reader'],
    token_policies: ['default', 'reader'],
    metadata: { username: 'alice' },
    lease_duration: 600,
    renewable: true,
    orphan: true,
    token_type: 'service',
  });
  expect(auth.entity_id).toMatch(/^[0-9a-f-]{36}$/);

  const self = await engine.call('GET', 'auth/token/lookup-self', undefined, auth.client_token);
  expect(self.body.data).toMatchObject({
    display_name: 'userpass-alice',
    path: 'auth/userpass/login/Alice',
    entity_id: auth.entity_id,
  });
  expect((await engine.call('GET', 'sys/mounts', undefined, auth.client_token)).status).toBe(200);
  expect((await engine.call('GET', 'sys/policy', undefined, auth.client_token)).status).toBe(403);

  expect(
    (await engine.call('POST', 'auth/token/renew-self', { increment: '20m' }, auth.client_token)).body.auth
      .lease_duration,
  ).toBe(1200);
  await engine.call('PUT', 'sys/policies/acl/lister', {
    policy: 'path "sys/policy" { capabilities = ["read"] }',
  });
  await engine.call('POST', `identity/entity/id/${auth.entity_id}`, { policies: ['lister'] });
  expect((await engine.call('GET', 'sys/policy', undefined, auth.client_token)).status).toBe(200);
  const again = await engine.call('POST', 'auth/userpass/login/alice', { password: 'canary-pw-1' }, '');
  expect(again.body.auth).toMatchObject({
    entity_id: auth.entity_id,
    identity_policies: ['lister'],
    policies: ['default', 'lister', 'reader'],
  });
  await engine.call('POST', `identity/entity/id/${auth.entity_id}`, { disabled: true });
  expect((await engine.call('GET', 'sys/mounts', undefined, auth.client_token)).status).toBe(403);
  expect(
    (await engine.call('POST', 'auth/userpass/login/alice', { password: 'canary-pw-1' }, '')).status,
  ).toBe(403);
  await engine.call('POST', `identity/entity/id/${auth.entity_id}`, { disabled: false });

  await engine.call('DELETE', 'auth/userpass/users/alice');
  expect((await engine.call('POST', 'auth/token/renew-self', {}, auth.client_token)).status).toBe(400);
  expect((await engine.call('GET', 'auth/userpass/users/alice')).status).toBe(404);
});

test('passwords and policies change by their own paths; five failures lock a name and no other', async () => {
  for (const name of ['bob', 'eve'])
    await engine.call('POST', `auth/userpass/users/${name}`, { password: 'one', policies: 'reader' });
  expect((await engine.call('POST', 'auth/userpass/users/bob/password', { password: 'two' })).status).toBe(
    204,
  );
  expect(
    (await engine.call('POST', 'auth/userpass/users/bob/policies', { token_policies: ['a', 'B'] })).status,
  ).toBe(204);
  expect(
    (await engine.call('POST', 'auth/userpass/login/bob', { password: 'two' }, '')).body.auth.policies,
  ).toEqual(['a', 'b', 'default']);
  for (let tries = 0; tries < 5; tries += 1)
    expect((await engine.call('POST', 'auth/userpass/login/bob', { password: 'one' }, '')).status).toBe(400);
  expect((await engine.call('POST', 'auth/userpass/login/bob', { password: 'two' }, '')).status).toBe(403);
  expect((await engine.call('POST', 'auth/userpass/login/eve', { password: 'one' }, '')).status).toBe(200);
});

test('addresses bind logins', async () => {
  await engine.call('POST', 'auth/userpass/users/far', { password: 'one', token_bound_cidrs: '10.1.0.0/16' });
  const far = await engine.call('POST', 'auth/userpass/login/far', { password: 'one' }, '');
  expect([far.status, far.body.errors]).toEqual([403, ['permission denied']]);
  expect(
    await engine.call('POST', 'auth/userpass/users/far', { token_bound_cidrs: '10.1.0.0/99' }),
  ).toMatchObject({
    status: 400,
    body: { errors: [expect.stringContaining('invalid CIDR address: 10.1.0.0/99')] },
  });
  await engine.call('POST', 'auth/userpass/users/near', {
    password: 'one',
    token_bound_cidrs: '127.0.0.0/8',
  });
  const near = await engine.call('POST', 'auth/userpass/login/near', { password: 'one' }, '');
  expect(
    (await engine.call('GET', 'auth/token/lookup-self', undefined, near.body.auth.client_token)).body.data
      .bound_cidrs,
  ).toEqual(['127.0.0.0/8']);
});

test('a machine logs in by role and secret ID; uses are counted, also at the same time', async () => {
  expect(
    (
      await engine.call('POST', 'auth/approle/role/Ci', {
        token_policies: 'reader',
        secret_id_num_uses: 2,
        secret_id_ttl: '1h',
        token_ttl: '5m',
      })
    ).status,
  ).toBe(204);
  expect((await engine.call('GET', 'auth/approle/role/ci')).body.data).toMatchObject({
    bind_secret_id: true,
    secret_id_num_uses: 2,
    secret_id_ttl: 3600,
    secret_id_bound_cidrs: null,
    token_policies: ['reader'],
  });
  const { role_id } = (await engine.call('GET', 'auth/approle/role/ci/role-id')).body.data;
  const made = await engine.call('POST', 'auth/approle/role/ci/secret-id', { metadata: '{"job":"42"}' });
  expect(made.body.data).toMatchObject({ secret_id_num_uses: 2, secret_id_ttl: 3600 });
  const { secret_id, secret_id_accessor } = made.body.data;
  expect((await engine.call('LIST', 'auth/approle/role/ci/secret-id')).body.data.keys).toEqual([
    secret_id_accessor,
  ]);
  expect(
    (await engine.call('POST', 'auth/approle/role/ci/secret-id/lookup', { secret_id })).body.data,
  ).toMatchObject({ secret_id_accessor, metadata: { job: '42' } });

  expect((await engine.call('POST', 'auth/approle/login', {}, '')).body.errors).toEqual(['missing role_id']);
  expect((await engine.call('POST', 'auth/approle/login', { role_id }, '')).body.errors).toEqual([
    'missing secret_id',
  ]);
  const bad = await engine.call('POST', 'auth/approle/login', { role_id, secret_id: 'no' }, '');
  expect([bad.status, bad.body.errors]).toEqual([400, ['invalid role or secret ID']]);
  const tries = await Promise.all(
    [1, 2, 3, 4].map(() => engine.call('POST', 'auth/approle/login', { role_id, secret_id }, '')),
  );
  expect(tries.filter(({ status }) => status === 200)).toHaveLength(2);
  const auth = tries.find(({ status }) => status === 200)?.body.auth;
  expect(auth).toMatchObject({
    metadata: { job: '42', role_name: 'ci' },
    policies: ['default', 'reader'],
    lease_duration: 300,
  });
  expect(
    (await engine.call('GET', 'auth/token/lookup-self', undefined, auth.client_token)).body.data.display_name,
  ).toBe('approle');
});

test('secret IDs are chosen, looked up and destroyed by accessor; settings are paths', async () => {
  await engine.call('POST', 'auth/approle/role/app', { role_id: 'app-id' });
  expect((await engine.call('POST', 'auth/approle/role/other', { role_id: 'app-id' })).status).toBe(400);
  const custom = await engine.call('POST', 'auth/approle/role/app/custom-secret-id', {
    secret_id: 'canary-secret-id',
  });
  const { secret_id_accessor } = custom.body.data;
  expect(
    (
      await engine.call(
        'POST',
        'auth/approle/login',
        { role_id: 'app-id', secret_id: 'canary-secret-id' },
        '',
      )
    ).status,
  ).toBe(200);
  expect(
    (await engine.call('POST', 'auth/approle/role/app/secret-id-accessor/lookup', { secret_id_accessor }))
      .body.data.secret_id_num_uses,
  ).toBe(0);
  expect(
    (await engine.call('POST', 'auth/approle/role/app/secret-id-accessor/destroy', { secret_id_accessor }))
      .status,
  ).toBe(204);
  expect(
    (await engine.call('POST', 'auth/approle/role/app/secret-id-accessor/lookup', { secret_id_accessor }))
      .status,
  ).toBe(404);
  expect(
    (
      await engine.call(
        'POST',
        'auth/approle/login',
        { role_id: 'app-id', secret_id: 'canary-secret-id' },
        '',
      )
    ).status,
  ).toBe(400);
  expect((await engine.call('POST', 'auth/approle/role/app/token-ttl', { token_ttl: '1m' })).status).toBe(
    204,
  );
  expect((await engine.call('GET', 'auth/approle/role/app/token-ttl')).body.data).toEqual({ token_ttl: 60 });
  expect((await engine.call('DELETE', 'auth/approle/role/app/token-ttl')).status).toBe(204);
  expect((await engine.call('POST', 'auth/approle/role/app', { bind_secret_id: false })).status).toBe(400);
  expect((await engine.call('POST', 'auth/approle/role/nobody/secret-id')).status).toBe(404);
  expect((await engine.call('DELETE', 'auth/approle/role/app')).status).toBe(204);
  expect((await engine.call('GET', 'auth/approle/role/app')).status).toBe(404);
  expect(engine.logLines.join('')).not.toMatch(/canary-(pw|secret)/);
});
