import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
const call = (...args: Parameters<TestEngine['call']>) => engine.call(...args);
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await call('PUT', 'sys/policies/acl/app', {
    policy: `path "sys/mounts" { capabilities = ["read"] }
path "auth/token/*" { capabilities = ["create", "update", "sudo"] }
path "sys/capabilities-self" { capabilities = ["update"] }`,
  });
});
afterAll(async () => engine.stop());

const parent = async (more: object = {}) =>
  (await call('POST', 'auth/token/create', { policies: ['app'], ...more })).body.auth.client_token as string;
const self = async (token: string) => call('GET', 'auth/token/lookup-self', undefined, token);
const errors = async (...args: Parameters<TestEngine['call']>) => {
  const { status, body } = await call(...args);
  return [status, ...body.errors];
};

test('a batch token is not stored, survives a restart and rotations of the key, and ends with its parent', async () => {
  const service = await parent();
  const made = await call('POST', 'auth/token/create', { type: 'batch', ttl: '20m' }, service);
  const { auth } = made.body;
  expect(auth).toMatchObject({
    accessor: '',
    token_type: 'batch',
    renewable: false,
    orphan: false,
    lease_duration: 1200,
    policies: ['app', 'default'],
  });
  expect(auth.client_token).toMatch(/^hvb\.[\w-]{80,}$/);
  expect((await call('PUT', 'sys/rotate')).status).toBeLessThan(300);
  await engine.restart();
  expect((await self(auth.client_token)).body.data).toMatchObject({
    id: auth.client_token,
    accessor: '',
    type: 'batch',
    num_uses: 0,
    orphan: false,
    renewable: false,
    explicit_max_ttl: 0,
    path: 'auth/token/create',
    policies: ['app', 'default'],
  });
  const capabilities = { paths: ['sys/mounts'] };
  expect(
    (await call('POST', 'sys/capabilities-self', capabilities, auth.client_token)).body.capabilities,
  ).toEqual(['read']);
  expect(
    (await call('POST', 'sys/capabilities', { ...capabilities, token: auth.client_token })).body.capabilities,
  ).toEqual(['read']);
  await call('POST', 'auth/token/revoke', { token: service });
  expect((await self(auth.client_token)).status).toBe(403);
  const broken = `${auth.client_token.slice(0, -2)}xx`;
  expect((await self(broken)).status).toBe(403);
  expect((await self('hvb.x')).status).toBe(403);
});

test('an orphan lives on its own, and no longer than its time', async () => {
  const service = await parent();
  const orphan = await call('POST', 'auth/token/create-orphan', { type: 'batch', ttl: '5s' }, service);
  const { client_token } = orphan.body.auth;
  await call('POST', 'auth/token/revoke', { token: service });
  expect((await self(client_token)).status).toBe(200);
  await expect.poll(async () => (await self(client_token)).status, { timeout: 30_000 }).toBe(403);
});

test('orphans are made by whoever may, of policies that the maker has; revoke-orphan needs sudo', async () => {
  await call('PUT', 'sys/policies/acl/maker', {
    policy: 'path "auth/token/*" { capabilities = ["update"] }',
  });
  const maker = await parent({ policies: ['maker'] });
  const made = await call('POST', 'auth/token/create-orphan', { policies: ['maker'] }, maker);
  expect(made.body.auth).toMatchObject({ orphan: true, policies: ['default', 'maker'] });
  expect(await errors('POST', 'auth/token/create-orphan', { policies: ['app'] }, maker)).toEqual([
    400,
    'child policies must be subset of parent',
  ]);
  const token = made.body.auth.client_token;
  expect(await errors('POST', 'auth/token/revoke-orphan', { token }, maker)).toEqual([
    400,
    'root or sudo privileges required to revoke and orphan',
  ]);
  expect((await call('POST', 'auth/token/revoke-orphan', { token })).status).toBe(204);
});

test('what a batch token cannot do or be is refused', async () => {
  const token = (await call('POST', 'auth/token/create', { type: 'batch' }, await parent())).body.auth
    .client_token as string;
  for (const [path, body, text] of [
    ['auth/token/create', {}, 'batch tokens cannot create more tokens'],
    ['auth/token/renew-self', {}, 'batch tokens cannot be renewed'],
    ['auth/token/renew', { token }, 'batch tokens cannot be renewed'],
    ['auth/token/revoke-self', {}, 'batch tokens cannot be revoked'],
    ['auth/token/revoke', { token }, 'batch tokens cannot be revoked'],
    ['auth/token/revoke-orphan', { token }, 'batch tokens cannot be revoked'],
    ['cubbyhole/x', { a: 1 }, 'cubbyhole operations are only supported by "service" type tokens'],
  ] as const)
    expect(await errors('POST', path, body, token)).toEqual([400, text]);
  for (const [body, text] of [
    [{ explicit_max_ttl: '1h' }, 'batch tokens cannot have "explicit_max_ttl" set'],
    [{ num_uses: 2 }, 'batch tokens cannot have "num_uses" set'],
    [{ period: '1h' }, 'batch tokens cannot have "period" set'],
    [{}, 'batch tokens cannot be root tokens'],
  ] as const)
    expect(await errors('POST', 'auth/token/create', { type: 'batch', ...body })).toEqual([400, text]);
  expect(await errors('POST', 'auth/token/create', { type: 'bulk' })).toEqual([
    400,
    "invalid 'token_type' value",
  ]);
});

test('roles decide on the type, the addresses and the entity', async () => {
  const role = (name: string, body: object) => call('POST', `auth/token/roles/${name}`, body);
  const batch = "'token_type' cannot be 'batch' when role is set to generate";
  expect((await role('b', { token_type: 'batch' })).body.errors).toEqual([`${batch} non-orphan tokens`]);
  expect((await role('b', { token_type: 'batch', orphan: true })).body.errors).toEqual([
    `${batch} renewable tokens`,
  ]);
  expect((await role('b', { token_type: 'batch', orphan: true, renewable: false })).status).toBe(204);
  const plain = { policies: ['app'] };
  expect((await call('POST', 'auth/token/create/b', plain)).body.auth.token_type).toBe('batch');
  await role('d', { token_type: 'default-batch' });
  expect((await call('POST', 'auth/token/create/d', plain)).body.auth.token_type).toBe('batch');
  expect(
    (await call('POST', 'auth/token/create/d', { ...plain, type: 'service' })).body.auth.token_type,
  ).toBe('service');

  await role('e', { allowed_entity_aliases: ['Robot-*'], token_bound_cidrs: '10.0.0.0/8' });
  expect((await call('GET', 'auth/token/roles/e')).body.data).toMatchObject({
    allowed_entity_aliases: ['robot-*'],
    token_bound_cidrs: ['10.0.0.0/8'],
  });
  expect(await errors('POST', 'auth/token/create/e', { entity_alias: 'person' })).toEqual([
    400,
    "invalid 'entity_alias' value",
  ]);
  expect(await errors('POST', 'auth/token/create', { entity_alias: 'robot-1' })).toEqual([
    400,
    "'entity_alias' is only allowed in combination with token role",
  ]);
  const made = await call('POST', 'auth/token/create/e', { ...plain, entity_alias: 'Robot-1' });
  expect(made.body.auth.entity_id).toMatch(/^[0-9a-f-]{36}$/);
  expect((await self(made.body.auth.client_token)).status).toBe(403);
});

test('logins give batch tokens when the role or the mount says so', async () => {
  await call('POST', 'sys/auth/userpass', { type: 'userpass' });
  await call('POST', 'auth/userpass/users/eve', { password: 'canary-batch-pw' });
  const login = async () =>
    (await call('POST', 'auth/userpass/login/eve', { password: 'canary-batch-pw' }, '')).body.auth;
  expect((await login()).token_type).toBe('service');
  expect(await errors('POST', 'auth/userpass/users/eve', { token_type: 'batch', token_num_uses: 3 })).toEqual(
    [
      400,
      "'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens with limited use count",
    ],
  );
  await call('POST', 'auth/userpass/users/eve', { token_type: 'batch', token_ttl: '5m' });
  const auth = await login();
  expect(auth).toMatchObject({ token_type: 'batch', accessor: '', renewable: false, lease_duration: 300 });
  expect((await self(auth.client_token)).body.data).toMatchObject({
    orphan: true,
    entity_id: auth.entity_id,
  });
  await call('POST', 'sys/auth/userpass/tune', { token_type: 'service' });
  expect((await login()).token_type).toBe('service');
  expect(await errors('POST', 'sys/auth/userpass/tune', { token_type: 'no' })).toEqual([
    400,
    "invalid value for 'token_type'",
  ]);
  expect(await errors('POST', 'sys/auth/token/tune', { token_type: 'batch' })).toEqual([
    400,
    "'token_type' cannot be set for 'token' or 'ns_token' auth mounts",
  ]);
  expect(engine.logLines.join('')).not.toContain('canary-batch-pw');
});
