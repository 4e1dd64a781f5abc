import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
const call = (...args: Parameters<TestEngine['call']>) => engine.call(...args);
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await call('POST', 'sys/auth/userpass', { type: 'userpass' });
  for (const user of ['alice', 'bob'])
    await call('POST', `auth/userpass/users/${user}`, { password: 'canary-lease-pw', token_ttl: '10m' });
});
afterAll(async () => engine.stop());

const login = async (user: string): Promise<string> =>
  (await call('POST', `auth/userpass/login/${user}`, { password: 'canary-lease-pw' }, '')).body.auth
    .client_token;
const isAlive = async (token: string): Promise<boolean> =>
  (await call('GET', 'auth/token/lookup-self', undefined, token)).status === 200;

test('tokens are listed, looked up and revoked as leases by their path', async () => {
  const [alice, alice2, bob] = [await login('alice'), await login('alice'), await login('bob')];
  expect((await call('LIST', 'sys/leases/lookup/')).body.data.keys).toContain('auth/');
  expect((await call('LIST', 'sys/leases/lookup/auth/userpass/login')).body.data.keys).toEqual([
    'alice/',
    'bob/',
  ]);
  const listed = await call('LIST', 'sys/leases/lookup/auth/userpass/login/alice/');
  expect(listed.body.data.keys).toHaveLength(2);
  const lease_id = `auth/userpass/login/alice/${listed.body.data.keys[0]}`;
  const found = await call('PUT', 'sys/leases/lookup', { lease_id });
  expect(found.body.data).toMatchObject({ id: lease_id, last_renewal: null, renewable: true });
  expect(found.body.data.ttl).toBeGreaterThan(590);
  const renewed = await call('PUT', 'sys/leases/renew', { lease_id });
  expect([renewed.status, renewed.body.errors]).toEqual([
    400,
    ['tokens cannot be renewed through this endpoint'],
  ]);

  expect((await call('PUT', 'sys/leases/revoke', { lease_id })).status).toBe(202);
  expect([await isAlive(alice), await isAlive(alice2)].filter(Boolean)).toHaveLength(1);
  expect((await call('PUT', 'sys/leases/revoke-prefix/auth/userpass/login/alice')).status).toBe(202);
  expect([await isAlive(alice), await isAlive(alice2), await isAlive(bob)]).toEqual([false, false, true]);
  expect((await call('LIST', 'sys/leases/lookup/auth/userpass/login/alice')).status).toBe(404);

  await engine.restart();
  expect(await isAlive(bob)).toBe(true);
  expect((await call('DELETE', 'sys/auth/userpass')).status).toBe(204);
  expect(await isAlive(bob)).toBe(false);
});

test('a lease that is revoked is not listed any more, whether its caller waits or not', async () => {
  await call('POST', 'sys/mounts/leased', { type: 'pki' });
  await call('POST', 'leased/root/generate/internal', { common_name: 'x', ttl: '1h', key_type: 'ec' });
  await call('POST', 'leased/roles/r', { allow_any_name: true, generate_lease: true, key_type: 'ec' });
  for (const more of [{}, { sync: true }]) {
    const { lease_id } = (await call('POST', 'leased/issue/r', { common_name: 'a', ttl: '30m' })).body;
    expect((await call('LIST', 'sys/leases/lookup/leased')).body.data.keys).toEqual(['issue/']);
    await call('PUT', 'sys/leases/revoke', { lease_id, ...more });
    expect((await call('LIST', 'sys/leases/lookup/leased')).status).toBe(404);
  }
});

test('what is no lease is told as the peer tells it', async () => {
  expect((await call('PUT', 'sys/leases/lookup', { lease_id: 'nosuch' })).body.errors).toEqual([
    'invalid lease',
  ]);
  expect((await call('PUT', 'sys/leases/lookup', {})).body.errors).toEqual(['lease_id must be specified']);
  expect((await call('PUT', 'sys/leases/renew', { lease_id: 'nosuch' })).body.errors).toEqual([
    'lease not found',
  ]);
  expect((await call('PUT', 'sys/renew/no/such')).body.errors).toEqual(['lease not found']);
  expect((await call('PUT', 'sys/leases/revoke', {})).status).toBe(400);
  expect((await call('PUT', 'sys/revoke/nosuch', { sync: true })).status).toBe(204);
  const prefix = await call('PUT', 'sys/leases/revoke-prefix/nosuch', { sync: false });
  expect([prefix.status, prefix.body]).toEqual([202, undefined]);
  expect((await call('PUT', 'sys/leases/revoke-force/nosuch')).status).toBe(204);
  expect((await call('PUT', 'sys/leases/tidy')).status).toBe(202);
  const count = await call('GET', 'sys/leases/count');
  expect([count.status, count.body]).toEqual([404, { errors: [] }]);
  expect((await call('GET', 'sys/leases/count?type=irrevocable')).body.data).toEqual({
    lease_count: 0,
    counts: {},
  });
  expect((await call('GET', 'sys/leases?type=irrevocable')).body.data).toEqual({
    lease_count: 0,
    leases: [],
  });
  expect((await call('GET', 'sys/leases?type=irrevocable&limit=x')).status).toBe(400);
});

test('listing and forced revocation need sudo', async () => {
  const rules = ['lookup/*', 'revoke-prefix/*', 'revoke-force/*']
    .map((name) => `path "sys/leases/${name}" { capabilities = ["list", "update"] }`)
    .join('\n');
  await call('PUT', 'sys/policies/acl/lessee', { policy: rules });
  const { client_token } = (await call('POST', 'auth/token/create', { policies: ['lessee'] })).body.auth;
  for (const [method, path] of [
    ['LIST', 'sys/leases/lookup/auth'],
    ['PUT', 'sys/leases/revoke-prefix/auth'],
    ['PUT', 'sys/leases/revoke-force/auth'],
  ] as const)
    expect((await call(method, path, undefined, client_token)).status).toBe(403);
  expect(engine.logLines.join('')).not.toContain('canary-lease-pw');
});
