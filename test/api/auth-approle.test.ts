import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/auth/approle', { type: 'approle' });
});
afterAll(async () => engine.stop());

const call = (method: string, path: string, body?: unknown) =>
  engine.call(method, `auth/approle/${path}`, body);
const login = (role_id: string, secret_id?: string) =>
  engine.call('POST', 'auth/approle/login', { role_id, secret_id }, '');

test('every setting is a path: read, changed, set back, and unknown where there is no role', async () => {
  await call('POST', 'role/all', { role_id: 'all-id' });
  const settings: [string, string, unknown, unknown, unknown][] = [
    ['policies', 'token_policies', 'b,a', ['a', 'b'], []],
    ['bind-secret-id', 'bind_secret_id', true, true, true],
    ['secret-id-num-uses', 'secret_id_num_uses', '3', 3, 0],
    ['secret-id-ttl', 'secret_id_ttl', '1m', 60, 0],
    ['secret-id-bound-cidrs', 'secret_id_bound_cidrs', '127.0.0.0/8', ['127.0.0.0/8'], null],
    ['bound-cidr-list', 'bound_cidr_list', ['10.0.0.0/8'], ['10.0.0.0/8'], null],
    ['token-bound-cidrs', 'token_bound_cidrs', '127.0.0.0/8', ['127.0.0.0/8'], []],
    ['token-num-uses', 'token_num_uses', 2, 2, 0],
    ['token-ttl', 'token_ttl', '5m', 300, 0],
    ['token-max-ttl', 'token_max_ttl', 600, 600, 0],
    ['period', 'token_period', '24h', 86_400, 0],
  ];
  for (const [path, name, given, shown, reset] of settings) {
    const at = `role/all/${path}`;
    expect([path, (await call('POST', at, { [name]: given })).status]).toEqual([path, 204]);
    expect((await call('GET', at)).body.data).toEqual({ [name]: shown });
    expect((await call('POST', at, {})).body.errors).toEqual([
      `missing ${path === 'period' ? 'period' : name}`,
    ]);
    expect((await call('DELETE', at)).status).toBe(204);
    expect((await call('GET', at)).body.data).toEqual({ [name]: reset });
    expect((await call('GET', `role/none/${path}`)).status).toBe(404);
    expect((await call('POST', `role/none/${path}`, { [name]: given })).status).toBe(404);
    expect((await call('DELETE', `role/none/${path}`)).status).toBe(204);
  }
  expect((await call('GET', 'role/all/local-secret-ids')).body.data).toEqual({ local_secret_ids: false });
  expect((await call('GET', 'role/all/bound-cidr-list')).body.warnings).toHaveLength(1);
});

test('older names are shown while they are the ones in use', async () => {
  await call('POST', 'role/old', { policies: 'one', period: '1h' });
  expect((await call('GET', 'role/old')).body.data).toMatchObject({
    period: 3600,
    policies: ['one'],
    token_period: 3600,
    token_policies: ['one'],
  });
  await call('POST', 'role/old/policies', { token_policies: 'two' });
  const { data } = (await call('GET', 'role/old')).body;
  expect([data.policies, data.token_policies, data.period]).toEqual([undefined, ['two'], 3600]);
});

test('roles are checked: role IDs, blocks, constraints, periods, local secret IDs, types', async () => {
  const refusal = async (role: object, name = 'bad') =>
    (await call('POST', `role/${name}`, role)).body.errors;
  await call('POST', 'role/first', { role_id: 'taken', local_secret_ids: true });
  expect((await call('GET', 'role/first/local-secret-ids')).body.data).toEqual({ local_secret_ids: true });
  expect(await refusal({ role_id: 'taken' })).toEqual(['role_id already in use']);
  expect(await refusal({ role_id: '' })).toEqual([
    'invalid role_id supplied, or failed to generate a role_id',
  ]);
  expect(await refusal({ local_secret_ids: true }, 'first')).toEqual([
    'local_secret_ids can only be modified during role creation',
  ]);
  expect(await refusal({ secret_id_bound_cidrs: '10.0.0.0/99' })).toEqual(['invalid CIDR blocks']);
  expect(await refusal({ bind_secret_id: false })).toEqual([
    'at least one constraint should be enabled on the role',
  ]);
  expect(await refusal({ token_ttl: '2h', token_max_ttl: '1h' })).toEqual([
    "'token_ttl' cannot be greater than 'token_max_ttl'",
  ]);
  expect((await refusal({ token_period: '100000h' }))[0]).toContain('maximum lease TTL');
  expect((await call('GET', 'role/bad')).status).toBe(404);
  const typed = await call('POST', 'role/typed', { token_type: 'default-service', token_max_ttl: '99999h' });
  expect(typed.body.warnings).toHaveLength(2);
  expect((await call('GET', 'role/typed')).body.data.token_type).toBe('service');
  expect((await call('POST', 'role/first/role-id', { role_id: 'all-id-2' })).status).toBe(204);
  expect((await call('GET', 'role/first/role-id')).body.data).toEqual({ role_id: 'all-id-2' });
  expect((await login('taken', 'x')).body.errors).toEqual(['invalid role or secret ID']);
});

test('without secret IDs, the address is what proves a role', async () => {
  await call('POST', 'role/near', {
    role_id: 'near',
    bind_secret_id: false,
    secret_id_bound_cidrs: '127.0.0.0/8',
  });
  expect((await login('near')).body.auth.metadata).toEqual({ role_name: 'near' });
  await call('POST', 'role/far', {
    role_id: 'far',
    bind_secret_id: false,
    secret_id_bound_cidrs: '10.0.0.0/8',
  });
  const far = await login('far');
  expect([far.status, far.body.errors[0]]).toEqual([
    403,
    'source address "127.0.0.1" unauthorized by CIDR restrictions on the role',
  ]);
  expect((await call('POST', 'role/near/secret-id')).body.errors).toEqual([
    'bind_secret_id is not set on the role',
  ]);
});

test('a secret ID has metadata, blocks within its role’s, uses and a time', async () => {
  await call('POST', 'role/app', {
    role_id: 'app',
    secret_id_bound_cidrs: '127.0.0.0/8,10.0.0.0/8',
    secret_id_num_uses: 5,
    secret_id_ttl: '1h',
  });
  const make = (body: object) => call('POST', 'role/app/secret-id', body);
  for (const [body, error] of [
    [{ num_uses: 6 }, "num_uses cannot be higher than the role's secret_id_num_uses"],
    [{ num_uses: 0 }, "num_uses cannot be higher than the role's secret_id_num_uses"],
    [{ num_uses: -1 }, 'num_uses cannot be negative'],
    [{ ttl: '2h' }, "ttl cannot be longer than the role's secret_id_ttl"],
    [{ cidr_list: 'x' }, 'failed to validate CIDR blocks'],
    [{ token_bound_cidrs: 'x' }, 'failed to validate token CIDR blocks'],
  ] as const)
    expect((await make(body)).body.errors).toEqual([error]);
  expect((await make({ cidr_list: '192.168.0.0/16' })).body.errors[0]).toContain(
    'failed to verify subset relationship',
  );
  expect((await make({ metadata: '{"a":1}' })).status).toBe(400);

  const own = await make({
    cidr_list: '127.0.0.1/32',
    token_bound_cidrs: '127.0.0.0/30',
    metadata: 'job=7,team=blue',
    num_uses: 1,
    ttl: '10m',
  });
  expect(own.body.data).toMatchObject({ secret_id_num_uses: 1, secret_id_ttl: 600 });
  const { auth } = (await login('app', ` ${own.body.data.secret_id} `)).body;
  expect(auth.metadata).toEqual({ job: '7', role_name: 'app', team: 'blue' });
  const self = await engine.call('GET', 'auth/token/lookup-self', undefined, auth.client_token);
  expect(self.body.data.bound_cidrs).toEqual(['127.0.0.0/30']);
  expect((await login('app', own.body.data.secret_id)).status).toBe(400);

  const elsewhere = await make({ cidr_list: '10.1.0.0/16' });
  expect((await login('app', elsewhere.body.data.secret_id)).body.errors[0]).toContain(
    'unauthorized through CIDR restrictions on the secret ID',
  );
  const encoded = Buffer.from('{"k":"v"}').toString('base64');
  const custom = await call('POST', 'role/app/custom-secret-id', {
    secret_id: 'canary-custom',
    metadata: encoded,
  });
  expect(custom.body.data.secret_id).toBe('canary-custom');
  expect(
    (await call('POST', 'role/app/secret-id/lookup', { secret_id: 'canary-custom' })).body.data,
  ).toMatchObject({
    cidr_list: [],
    metadata: { k: 'v' },
    secret_id_num_uses: 5,
    secret_id_ttl: 3600,
    token_bound_cidrs: [],
  });
  expect((await call('POST', 'role/app/custom-secret-id', { secret_id: 'canary-custom' })).status).toBe(400);
  expect((await call('LIST', 'role/app/secret-id?limit=1')).body.data.keys).toHaveLength(1);
  const bad = await call('POST', 'role/app/secret-id-accessor/lookup', { secret_id_accessor: 'zz' });
  expect([bad.status, bad.body.errors]).toEqual([
    404,
    ['failed to find accessor entry for secret_id_accessor: "zz"'],
  ]);
  expect((await call('POST', 'role/app/secret-id/destroy', { secret_id: 'canary-custom' })).status).toBe(204);
  expect((await call('POST', 'role/app/secret-id/lookup', { secret_id: 'canary-custom' })).status).toBe(204);
});

test('a secret ID is wrapped for its machine; tidying answers that it began', async () => {
  await call('POST', 'role/wrapped', { role_id: 'wrapped' });
  const wrapped = await engine.call('POST', 'auth/approle/role/wrapped/secret-id', {}, undefined, {
    'X-Vault-Wrap-TTL': '60s',
  });
  const { token } = wrapped.body.wrap_info;
  expect(wrapped.body.data).toBeNull();
  const { data } = (await engine.call('POST', 'sys/wrapping/unwrap', {}, token)).body;
  expect((await login('wrapped', data.secret_id)).status).toBe(200);
  expect((await engine.call('POST', 'sys/wrapping/unwrap', {}, token)).status).toBe(400);

  const brief = await call('POST', 'role/wrapped/secret-id', { ttl: '1s' });
  const lasting = await call('POST', 'role/wrapped/secret-id', {});
  await expect
    .poll(async () => (await login('wrapped', brief.body.data.secret_id)).status, { timeout: 10_000 })
    .toBe(400);
  const tidied = await call('POST', 'tidy/secret-id');
  expect([tidied.status, tidied.body.warnings.length]).toEqual([202, 1]);
  expect((await call('LIST', 'role/wrapped/secret-id')).body.data.keys).toContain(
    lasting.body.data.secret_id_accessor,
  );
  expect((await call('LIST', 'role/wrapped/secret-id')).body.data.keys).not.toContain(
    brief.body.data.secret_id_accessor,
  );
  expect(engine.logLines.join('')).not.toContain('canary-custom');
});
