import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from '../api/support/engine.ts';
import { login, tokenWith, userpass } from './support.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/mounts/ssh', { type: 'ssh' });
  await engine.call('POST', 'ssh/roles/otp', { key_type: 'otp', default_user: 'u', cidr_list: '0.0.0.0/0' });
});
afterAll(() => engine.stop());

const anybody = (method: string, path: string, body?: object) => engine.call(method, path, body, '');
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('CVE-2020-25594: a stranger cannot tell mounts from what is not there', async () => {
  await engine.call('POST', 'sys/mounts/hidden', { type: 'kv' });
  const known = ['hidden/a', 'ssh/roles/otp', 'cubbyhole/a', 'auth/token/roles/x', 'sys/mounts/hidden'];
  const unknown = ['nothing/a', 'nowhere/roles/otp', 'auth/nothing/roles/x', 'sys/mounts/nothing'];
  for (const method of ['GET', 'LIST', 'PUT', 'DELETE']) {
    const answers = new Set<string>();
    for (const path of [...known, ...unknown]) {
      const { status, body } = await anybody(method, path, method === 'PUT' ? {} : undefined);
      answers.add(JSON.stringify([status, body?.errors]));
    }
    expect([method, [...answers]]).toEqual([method, ['[403,["permission denied"]]']]);
  }
  expect((await anybody('GET', 'sys/internal/ui/mounts')).body.data).toEqual({ auth: {}, secret: {} });
  expect((await anybody('GET', 'sys/internal/ui/mounts/hidden')).status).toBe(403);
  const poor = await tokenWith(engine, 'path "other/*" { capabilities = ["read"] }');
  const told = JSON.stringify(
    (await engine.call('GET', 'sys/internal/ui/mounts', undefined, poor)).body.data,
  );
  expect(told).not.toContain('hidden/');
});

test('CVE-2021-3024: an invalid request of a stranger tells no address of the engine', async () => {
  const { connect } = await import('node:net');
  const [host = '', port = ''] = engine.address.replace('http://', '').split(':');
  const send = (text: string): Promise<string> =>
    new Promise((resolve) => {
      let answer = '';
      const socket = connect(Number(port), host, () => socket.end(text));
      socket.on('data', (chunk) => (answer += chunk.toString()));
      socket.on('close', () => resolve(answer));
      socket.on('error', () => resolve(answer));
    });
  for (const path of [
    '/',
    '/v1',
    '/v1/',
    '//',
    '/v1/sys',
    '/ui',
    '/v1/..',
    '/v1//x',
    '/v1/sys/health/',
    '/x?redirect=//y',
    '/v1/sys/leader/',
  ])
    for (const version of ['HTTP/1.0', 'HTTP/1.1'])
      for (const header of ['', 'Host: \r\n', 'Host: evil.example\r\n']) {
        const answer = await send(`GET ${path} ${version}\r\n${header}\r\n`);
        expect([path, version, header, answer.includes(host) || answer.includes(port)]).toEqual([
          path,
          version,
          header,
          false,
        ]);
      }
});

test('CVE-2020-25816: a lease of a batch token ends with the token', async () => {
  const rules = 'path "ssh/creds/otp" { capabilities = ["update"] }';
  const token = await tokenWith(engine, rules, { type: 'batch', ttl: '2s', renewable: false });
  const { body } = await engine.call('POST', 'ssh/creds/otp', { ip: '127.0.0.1' }, token);
  expect(body.lease_duration).toBeLessThanOrEqual(2);
  const exists = async () =>
    (await engine.call('PUT', 'sys/leases/lookup', { lease_id: body.lease_id })).status;
  expect(await exists()).toBe(200);
  await engine.call('PUT', 'sys/leases/renew', { lease_id: body.lease_id, increment: 3600 });
  await expect.poll(exists, { timeout: 10_000 }).toBe(400);
  expect((await anybody('POST', 'ssh/verify', { otp: body.data.key })).status).not.toBe(200);
});

test('CVE-2021-32923: what is renewed within its last second still ends at its longest time', async () => {
  const made = await engine.call('POST', 'auth/token/create', {
    policies: ['default'],
    ttl: '2s',
    explicit_max_ttl: '3s',
  });
  const { client_token: token } = made.body.auth;
  const began = Date.now();
  const alive = async () =>
    (await engine.call('GET', 'auth/token/lookup-self', undefined, token)).status === 200;
  // Again and again, up to its end and beyond.
  let last: any;
  while (Date.now() - began < 4000) {
    const answer = await engine.call('POST', 'auth/token/renew-self', { increment: '1h' }, token);
    if (answer.status === 200) {
      last = answer.body.auth;
      expect(last.lease_duration).toBeLessThanOrEqual(3);
      const { ttl } = (await engine.call('GET', 'auth/token/lookup-self', undefined, token)).body.data ?? {
        ttl: 0,
      };
      expect(ttl).toBeLessThanOrEqual(3);
    }
    await wait(20);
  }
  expect(last).toBeDefined();
  expect(await alive()).toBe(false);
  await engine.restart();
  expect(await alive()).toBe(false);
});

test('CVE-2026-40264 CVE-2026-55774: an accessor or a lease ID is no right: who has one renews, looks up and revokes nothing by it', async () => {
  const victim = (await engine.call('POST', 'auth/token/create', { policies: ['default'], ttl: '1h' })).body
    .auth;
  const lease = (await engine.call('POST', 'ssh/creds/otp', { ip: '127.0.0.1' })).body;
  const thief = await tokenWith(engine, 'path "cubbyhole/*" { capabilities = ["read"] }');
  for (const [path, body] of [
    ['auth/token/lookup-accessor', { accessor: victim.accessor }],
    ['auth/token/renew-accessor', { accessor: victim.accessor }],
    ['auth/token/revoke-accessor', { accessor: victim.accessor }],
    ['auth/token/revoke', { token: victim.accessor }],
    ['sys/leases/revoke', { lease_id: lease.lease_id }],
    [`sys/leases/revoke/${lease.lease_id}`, {}],
    ['sys/leases/revoke-prefix/ssh', {}],
    ['sys/leases/revoke-force/ssh', {}],
    [`sys/leases/revoke-prefix/${lease.lease_id}`, {}],
  ] as const)
    for (const token of [thief, ''])
      expect([path, (await engine.call('PUT', path, body, token)).status]).toEqual([path, 403]);
  expect((await engine.call('GET', 'auth/token/lookup-self', undefined, victim.client_token)).status).toBe(
    200,
  );
  expect((await engine.call('PUT', 'sys/leases/lookup', { lease_id: lease.lease_id })).status).toBe(200);
});

test('CVE-2026-45808: the older paths of leases ask for rights of their own, and for sudo where the newer do', async () => {
  const lease = (await engine.call('POST', 'ssh/creds/otp', { ip: '127.0.0.1' })).body;
  const newer = await tokenWith(
    engine,
    'path "sys/leases/*" { capabilities = ["create", "update", "sudo"] }',
  );
  const noSudo = await tokenWith(engine, 'path "sys/*" { capabilities = ["create", "update"] }');
  const each: readonly (readonly [string, object])[] = [
    ['sys/revoke', { lease_id: lease.lease_id }],
    [`sys/revoke/${lease.lease_id}`, {}],
    ['sys/revoke-prefix/ssh', {}],
    ['sys/revoke-force/ssh', {}],
  ];
  for (const [path, body] of each)
    for (const token of [newer, '', ...(/prefix|force/.test(path) ? [noSudo] : [])])
      expect([path, (await engine.call('PUT', path, body, token)).status]).toEqual([path, 403]);
  expect((await engine.call('PUT', 'sys/leases/lookup', { lease_id: lease.lease_id })).status).toBe(200);
  const rightful = await engine.call('PUT', 'sys/revoke', { lease_id: lease.lease_id, sync: true });
  expect(rightful.status).toBe(204);
});

test('CVE-2026-46405: a login that is refused leaves no token behind', async () => {
  await userpass(engine, { ann: {} });
  await engine.call('POST', 'sys/auth/approle', { type: 'approle' });
  const accessors = async (): Promise<number> =>
    (await engine.call('LIST', 'auth/token/accessors')).body.data.keys.length;
  const before = await accessors();
  for (let tries = 0; tries < 4; tries += 1) {
    await login(engine, 'nobody', 'wrong');
    await login(engine, 'ann', 'wrong');
    await anybody('POST', 'auth/approle/login', { role_id: 'x', secret_id: 'y' });
    await anybody('GET', 'auth/userpass/login/ann');
    await engine.call('GET', 'auth/userpass/login/ann', undefined, '', { Authorization: 'Negotiate x' });
  }
  expect(await accessors()).toBe(before);
  expect((await login(engine, 'ann')).status).toBe(200);
  expect(await accessors()).toBe(before + 1);
});
