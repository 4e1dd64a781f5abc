import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, TestEngine } from './support/engine.ts';

let engine: TestEngine;
let member = '';
const call = (...args: Parameters<TestEngine['call']>): Promise<Answer> => engine.call(...args);
const quota = (name: string, body: object): Promise<Answer> =>
  call('POST', `sys/quotas/lease-count/${name}`, body);
const login = (): Promise<Answer> => call('POST', 'auth/userpass/login/bob', { password: 'pw' }, '');
const counter = async (name: string): Promise<number> =>
  (await call('GET', `sys/quotas/lease-count/${name}`)).body.data.counter;
const exceeded = (path: string): object => ({
  status: 429,
  body: { errors: [`request path "${path}": lease count quota exceeded`] },
});

beforeAll(async () => {
  engine = await TestEngine.initialized();
  await call('POST', 'sys/mounts/kv', { type: 'kv' });
  await call('POST', 'kv/a', { b: 'c' });
  await call('POST', 'sys/mounts/ssh', { type: 'ssh' });
  await call('POST', 'ssh/roles/otp', { key_type: 'otp', default_user: 'u', cidr_list: '10.0.0.0/8' });
  await call('POST', 'sys/mounts/pki', { type: 'pki' });
  await call('POST', 'pki/root/generate/internal', { common_name: 'Root', ttl: '24h' });
  await call('POST', 'pki/roles/leased', { allow_any_name: true, generate_lease: true, ttl: '1h' });
  await call('POST', 'pki/roles/plain', { allow_any_name: true, ttl: '1h' });
  await call('POST', 'sys/auth/userpass', { type: 'userpass' });
  await call('POST', 'auth/userpass/users/bob', { password: 'pw', token_policies: 'all' });
  await call('PUT', 'sys/policies/acl/all', {
    policy: 'path "*" { capabilities = ["create","read","update","delete","list","sudo"] }',
  });
  member = (await login()).body.auth.client_token;
});
afterAll(() => engine.stop());

describe('a quota that is used up', () => {
  beforeAll(() => quota('all', { max_leases: 1 }));
  afterAll(() => call('DELETE', 'sys/quotas/lease-count/all'));

  test('refuses what would make a lease, logins and tokens included', async () => {
    expect(await counter('all')).toBeGreaterThanOrEqual(1);
    expect(await login()).toMatchObject(exceeded('auth/userpass/login/bob'));
    for (const [path, body] of [
      ['ssh/creds/otp', { ip: '10.0.0.1' }],
      ['pki/issue/leased', { common_name: 'a.example' }],
      ['auth/token/create', { policies: ['default'] }],
      ['auth/token/create', { policies: ['default'], type: 'batch' }],
    ] as const)
      expect(await call('POST', path, body, member)).toMatchObject(exceeded(path));
  });

  test('nothing is made for a request that it refuses', async () => {
    const otps = engine.vault.mounts.entries('mounts').find(({ type }) => type === 'ssh')?.uuid;
    expect(await engine.vault.barrier.list(`logical/${otps}/otp/`)).toEqual([]);
    const before = (await call('LIST', 'pki/certs')).body.data.keys.length;
    await call('POST', 'pki/issue/leased', { common_name: 'a.example' }, member);
    expect((await call('LIST', 'pki/certs')).body.data.keys).toHaveLength(before);
  });

  test('refuses nothing else', async () => {
    for (const [method, path, body] of [
      ['GET', 'kv/a', undefined],
      ['POST', 'kv/a', { b: 'd' }],
      ['LIST', 'kv/', undefined],
      ['POST', 'pki/issue/plain', { common_name: 'b.example' }],
      ['GET', 'sys/mounts', undefined],
      ['GET', 'auth/token/lookup-self', undefined],
      ['POST', 'auth/token/renew-self', {}],
      ['POST', 'auth/token/create/nosuch', {}],
    ] as const) {
      const { status } = await call(method, path, body, member);
      expect([200, 204, 400], `${method} ${path}`).toContain(status);
    }
    expect((await call('GET', 'kv/a', undefined, member, { 'X-Vault-Wrap-TTL': '60' })).status).toBe(200);
  });

  test('never refuses root', async () => {
    expect((await call('POST', 'ssh/creds/otp', { ip: '10.0.0.1' })).status).toBe(200);
    const made = await call('POST', 'auth/token/create', { policies: ['default'] });
    expect(made.status).toBe(200);
    expect((await call('DELETE', 'sys/quotas/lease-count/all')).status).toBe(204);
    expect((await login()).status).toBe(200);
  });
});

test('logins are counted, sixty at once too, and a token that goes makes room', async () => {
  const before = await (async () => {
    await quota('people', { path: 'auth/userpass', max_leases: 1000 });
    return counter('people');
  })();
  await quota('people', { path: 'auth/userpass/', max_leases: before + 5 });
  const answers = await Promise.all(Array.from({ length: 60 }, login));
  const good = answers.filter(({ status }) => status === 200);
  expect(good).toHaveLength(5);
  expect(await counter('people')).toBe(before + 5);
  await call('POST', 'auth/token/revoke', { token: good[0]?.body.auth.client_token });
  expect(await counter('people')).toBe(before + 4);
  expect((await login()).status).toBe(200);
  expect((await login()).status).toBe(429);
  // A wrong password takes no place.
  await call('POST', 'auth/token/revoke', { token: good[1]?.body.auth.client_token });
  for (let tries = 0; tries < 3; tries += 1)
    await call('POST', 'auth/userpass/login/bob', { password: 'wrong' }, '');
  expect((await login()).status).toBe(200);
  await engine.restart();
  expect(await counter('people')).toBe(before + 5);
  expect((await login()).status).toBe(429);
  await call('DELETE', 'sys/quotas/lease-count/people');
});

test('the most specific quota counts, and no other', async () => {
  await quota('every', { max_leases: 1 });
  await quota('people', { path: 'auth/userpass', max_leases: 1000 });
  await quota('none', { path: 'ssh/creds/o*', max_leases: 1 });
  expect((await login()).status).toBe(200);
  expect((await call('POST', 'ssh/creds/otp', { ip: '10.0.0.2' }, member)).status).toBe(429);
  for (const name of ['every', 'people', 'none']) await call('DELETE', `sys/quotas/lease-count/${name}`);
});

test('the seal can be closed by root while a quota is used up', async () => {
  await quota('all', { max_leases: 1 });
  expect((await call('PUT', 'sys/seal')).status).toBe(204);
});
