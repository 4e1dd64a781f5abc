import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('PUT', 'sys/policies/acl/app', {
    policy:
      'path "auth/token/create" { capabilities = ["update"] }\npath "cubbyhole/*" { capabilities = ["create","read","list"] }',
  });
});
afterAll(() => engine.stop());

const create = async (body: object, token?: string): Promise<any> =>
  (await engine.call('POST', 'auth/token/create', body, token)).body;
const self = (token: string) => engine.call('GET', 'auth/token/lookup-self', undefined, token);

describe('tokens', () => {
  test('no token, a wrong one and a revoked one are denied alike', async () => {
    const { auth } = await create({ policies: ['app'] });
    for (const token of ['', 'hvs.nosuchtoken', auth.accessor]) {
      expect(await self(token)).toMatchObject({ status: 403, body: { errors: ['permission denied'] } });
    }
    await engine.call('PUT', 'auth/token/revoke-self', undefined, auth.client_token);
    expect((await self(auth.client_token)).status).toBe(403);
  });

  test('a token sees what is left of its uses after this one, and the policies of its entity', async () => {
    const { auth } = await create({ policies: ['app'], num_uses: 2 });
    expect((await self(auth.client_token)).body.data.num_uses).toBe(1);
    expect((await self(auth.client_token)).body.data.num_uses).toBe(0);
    expect((await self(auth.client_token)).status).toBe(403);

    const entity = await engine.call('POST', 'identity/entity', { name: 'robot', policies: ['by-entity'] });
    const accessor = (await engine.call('GET', 'sys/auth')).body.data['token/'].accessor;
    await engine.call('POST', 'identity/entity-alias', {
      name: 'robot',
      canonical_id: entity.body.data.id,
      mount_accessor: accessor,
    });
    await engine.call('POST', 'auth/token/roles/robots', { allowed_entity_aliases: 'robot' });
    const answer = await engine.call('POST', 'auth/token/create/robots', { entity_alias: 'robot' });
    expect((await self(answer.body.auth.client_token)).body.data).toMatchObject({
      policies: ['root'],
      identity_policies: ['by-entity'],
      external_namespace_policies: {},
    });
  });

  test('an expired token is refused at once, and is swept with its children and cubbyhole', async () => {
    const { auth } = await create({ policies: ['app'], ttl: '2s' });
    await engine.call('PUT', 'cubbyhole/x', { v: 1 }, auth.client_token);
    const child = await create({}, auth.client_token);
    expect((await self(auth.client_token)).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 2200));
    expect((await self(auth.client_token)).status).toBe(403);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await self(child.auth.client_token)).status).toBe(403);
    const { body } = await engine.call('LIST', 'auth/token/accessors');
    expect(body.data.keys).not.toContain(auth.accessor);
  });

  test('expiry survives a restart', async () => {
    const { auth } = await create({ policies: ['app'], ttl: '10s' });
    await engine.restart();
    expect((await self(auth.client_token)).status).toBe(200);
    await expect.poll(async () => (await self(auth.client_token)).status, { timeout: 30_000 }).toBe(403);
  });

  test('a limited token serves exactly its number of uses, also at once', async () => {
    const { auth } = await create({ policies: ['app'], num_uses: 3 });
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        engine.call('GET', 'auth/token/lookup-self', undefined, auth.client_token),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
    expect((await engine.call('POST', 'auth/token/create', {}, auth.client_token)).status).toBe(403);
  });

  test('revoking a parent revokes its children; revoke-orphan leaves them', async () => {
    const parent = await create({ policies: ['app'] });
    const child = await create({}, parent.auth.client_token);
    const grandchild = await create({}, child.auth.client_token);
    expect(
      (await engine.call('PUT', 'auth/token/revoke-orphan', { token: parent.auth.client_token })).status,
    ).toBe(204);
    expect((await self(child.auth.client_token)).body.data.orphan).toBe(true);
    await engine.call('PUT', 'auth/token/revoke', { token: child.auth.client_token });
    expect((await self(grandchild.auth.client_token)).status).toBe(403);
  });

  test('policies of a child are a subset of its parent; default comes along unless refused', async () => {
    const parent = await create({ policies: ['app'] });
    expect(parent.auth.policies).toEqual(['app', 'default']);
    expect((await create({ policies: ['other'] }, parent.auth.client_token)).errors).toEqual([
      'child policies must be subset of parent',
    ]);
    expect((await create({ policies: ['root'] }, parent.auth.client_token)).errors[0]).toContain(
      'root tokens',
    );
    expect((await create({ no_parent: true }, parent.auth.client_token)).errors[0]).toContain(
      'root or sudo privileges',
    );
    expect((await create({ id: 'mine' }, parent.auth.client_token)).errors[0]).toContain(
      'root or sudo privileges',
    );
    expect((await create({ period: '1h' }, parent.auth.client_token)).errors[0]).toContain(
      'root or sudo privileges',
    );
    expect((await create({ no_default_policy: true }, parent.auth.client_token)).auth.policies).toEqual([
      'app',
    ]);
  });

  test('a TTL beyond the maximum is cut, and the answer says so', async () => {
    const { auth, warnings } = await create({ policies: ['app'], ttl: '1000h' });
    expect(auth.lease_duration).toBe(2_764_800);
    expect(warnings[0]).toContain('exceeded the effective max_ttl');
    expect((await create({ ttl: 'soon' })).errors).toBeDefined();
    expect((await create({ num_uses: -1 })).errors).toEqual(['number of uses cannot be negative']);
    expect((await create({ type: 'bad' })).errors).toEqual(["invalid 'token_type' value"]);
  });

  test('renewal keeps to the explicit maximum and the period', async () => {
    const limited = await create({ policies: ['app'], ttl: '1h', explicit_max_ttl: '2h' });
    const renewed = await engine.call('PUT', 'auth/token/renew', {
      token: limited.auth.client_token,
      increment: '10h',
    });
    expect(renewed.body.auth.lease_duration).toBeLessThanOrEqual(7200);
    const periodic = await create({ policies: ['app'], period: '30m' });
    expect(
      (await engine.call('PUT', 'auth/token/renew-self', { increment: '10h' }, periodic.auth.client_token))
        .body.auth.lease_duration,
    ).toBe(1800);
    expect((await engine.call('PUT', 'auth/token/renew', { token: engine.root })).status).toBe(400);
  });

  test('a custom id is taken once', async () => {
    expect((await create({ id: 'my-own-token', policies: ['app'] })).auth.client_token).toBe('my-own-token');
    expect((await create({ id: 'my-own-token' })).errors).toEqual([
      'cannot create a token with a duplicate ID',
    ]);
  });

  test('an accessor looks up and revokes without ever showing the token', async () => {
    const { auth } = await create({ policies: ['app'] });
    const { body } = await engine.call('POST', 'auth/token/lookup-accessor', { accessor: auth.accessor });
    expect(body.data.id).toBe('');
    expect(
      (await engine.call('POST', 'auth/token/revoke-accessor', { accessor: auth.accessor })).status,
    ).toBe(204);
    expect((await self(auth.client_token)).status).toBe(403);
    expect(
      (await engine.call('POST', 'auth/token/lookup-accessor', { accessor: auth.accessor })).status,
    ).toBe(400);
  });

  test('cubbyholes are private to their token', async () => {
    const a = await create({ policies: ['app'] });
    const b = await create({ policies: ['app'] });
    await engine.call('PUT', 'cubbyhole/k', { v: 'a' }, a.auth.client_token);
    expect((await engine.call('GET', 'cubbyhole/k', undefined, b.auth.client_token)).status).toBe(404);
    expect((await engine.call('GET', 'cubbyhole/k', undefined, a.auth.client_token)).body.data).toEqual({
      v: 'a',
    });
    expect((await engine.call('GET', 'cubbyhole/k')).status).toBe(404);
  });

  test('Authorization: Bearer works as X-Vault-Token does', async () => {
    expect(
      (
        await engine.call('GET', 'auth/token/lookup-self', undefined, '', {
          Authorization: `Bearer ${engine.root}`,
        })
      ).status,
    ).toBe(200);
  });
});

describe('token roles', () => {
  const role = (name: string, body: object) => engine.call('POST', `auth/token/roles/${name}`, body);
  const make = async (name: string, body: object, token?: string): Promise<any> =>
    (await engine.call('POST', `auth/token/create/${name}`, body, token)).body;
  let caller: string;
  beforeAll(async () => {
    await engine.call('PUT', 'sys/policies/acl/maker', {
      policy: 'path "auth/token/create/*" { capabilities = ["update"] }',
    });
    caller = (await create({ policies: ['maker'] })).auth.client_token;
  });

  test('give policies that the caller lacks, and no others', async () => {
    await role('ci', { allowed_policies: 'app,other', orphan: true, token_period: '1h' });
    expect((await make('ci', { policies: ['app'] }, caller)).auth).toMatchObject({
      policies: ['app', 'default'],
      orphan: true,
      lease_duration: 3600,
      renewable: true,
    });
    expect((await make('ci', {}, caller)).auth.policies).toEqual(['app', 'default', 'other']);
    expect((await make('ci', { policies: ['app', 'third'] }, caller)).errors[0]).toContain('must be subset');
    expect((await make('ci', { policies: ['root'] }, caller)).errors).toBeDefined();
    expect((await make('none', {}, caller)).errors).toEqual(['unknown role none']);
  });

  test('never make a root token for who is not root, whatever they allow', async () => {
    await role('careless', { allowed_policies: ['root'] });
    await role('wild', { allowed_policies_glob: ['*'] });
    expect((await make('careless', {}, caller)).errors).toEqual([
      'root tokens may not be created without parent token being root',
    ]);
    expect((await make('wild', { policies: ['root'] }, caller)).errors).toBeDefined();
    expect((await make('wild', { policies: ['app'] }, caller)).auth.policies).toEqual(['app', 'default']);
  });

  test('forbid by name and glob, limit uses and lifetime, leave default out', async () => {
    await role('strict', {
      allowed_policies_glob: 'app*',
      disallowed_policies: 'app-admin',
      disallowed_policies_glob: '*-secret',
      token_explicit_max_ttl: '10m',
      token_num_uses: 2,
      token_no_default_policy: true,
      renewable: false,
      path_suffix: 'batch-1',
    });
    for (const policy of ['app-admin', 'app-secret']) {
      expect((await make('strict', { policies: [policy] }, caller)).errors[0]).toContain('disallowed');
    }
    const { auth } = await make('strict', { policies: ['app'], ttl: '1h', num_uses: 5 }, caller);
    expect(auth).toMatchObject({ policies: ['app'], lease_duration: 600, renewable: false, num_uses: 2 });
    const { body } = await engine.call('POST', 'auth/token/lookup-accessor', { accessor: auth.accessor });
    expect(body.data.path).toBe('auth/token/create/strict/batch-1');
  });

  test('without policies of their own keep to the parent’s', async () => {
    await role('plain', {});
    expect((await make('plain', { policies: ['app'] }, caller)).errors).toEqual([
      'child policies must be subset of parent',
    ]);
    expect((await make('plain', {}, caller)).auth.policies).toEqual(['default', 'maker']);
    expect((await role('cidr', { token_bound_cidrs: '10.0.0.0/99' })).status).toBe(400);
    expect((await engine.call('DELETE', 'auth/token/roles/plain')).status).toBe(204);
    expect((await engine.call('GET', 'auth/token/roles/plain')).status).toBe(404);
  });
});

describe('policies', () => {
  const as = async (policy: string): Promise<string> => {
    const name = `p${Math.floor(Math.random() * 1e9)}`;
    expect((await engine.call('PUT', `sys/policies/acl/${name}`, { policy })).status).toBe(204);
    return (await create({ policies: [name] })).auth.client_token;
  };
  beforeAll(async () => {
    await engine.call('POST', 'sys/mounts/secret', { type: 'kv-v2' });
    for (const path of ['app/one', 'team/x', 'other'])
      await engine.call('POST', `secret/data/${path}`, { data: { a: 1 } });
  });

  test('grant what they name and nothing else', async () => {
    const token = await as('path "secret/data/app/*" { capabilities = ["read"] }');
    expect((await engine.call('GET', 'secret/data/app/one', undefined, token)).status).toBe(200);
    expect(await engine.call('GET', 'secret/data/other', undefined, token)).toMatchObject({
      status: 403,
      body: { errors: ['1 error occurred:\n\t* permission denied\n\n'] },
    });
    expect((await engine.call('POST', 'secret/data/app/one', { data: {} }, token)).status).toBe(403);
    expect((await engine.call('GET', 'nothing/here', undefined, token)).status).toBe(403);
    expect((await engine.call('GET', 'sys/mounts', undefined, token)).status).toBe(403);
  });

  test('create and update are different things', async () => {
    const creator = await as('path "secret/data/team/*" { capabilities = ["create"] }');
    expect((await engine.call('POST', 'secret/data/team/new', { data: { a: 1 } }, creator)).status).toBe(200);
    expect((await engine.call('POST', 'secret/data/team/new', { data: { a: 2 } }, creator)).status).toBe(403);
    const updater = await as('path "secret/data/team/*" { capabilities = ["update"] }');
    expect((await engine.call('POST', 'secret/data/team/new', { data: { a: 2 } }, updater)).status).toBe(200);
    expect((await engine.call('POST', 'secret/data/team/newer', { data: { a: 2 } }, updater)).status).toBe(
      403,
    );
  });

  test('deny wins over everything on the same path, sudo is needed where it is asked for', async () => {
    const denied = await as(
      'path "secret/data/+/x" { capabilities = ["deny"] }\npath "secret/data/*" { capabilities = ["read"] }',
    );
    expect((await engine.call('GET', 'secret/data/team/x', undefined, denied)).status).toBe(403);
    expect((await engine.call('GET', 'secret/data/other', undefined, denied)).status).toBe(200);
    const plain = await as('path "sys/rotate" { capabilities = ["update"] }');
    expect((await engine.call('PUT', 'sys/rotate', undefined, plain)).status).toBe(403);
    const sudo = await as('path "sys/rotate" { capabilities = ["update", "sudo"] }');
    expect((await engine.call('PUT', 'sys/rotate', undefined, sudo)).status).toBe(204);
    expect((await engine.call('GET', 'secret/data/other')).status).toBe(200);
  });

  test('a changed policy works at once for tokens that exist', async () => {
    await engine.call('PUT', 'sys/policies/acl/moving', {
      policy: 'path "secret/data/other" { capabilities = ["read"] }',
    });
    const { auth } = await create({ policies: ['moving'] });
    expect((await engine.call('GET', 'secret/data/other', undefined, auth.client_token)).status).toBe(200);
    await engine.call('DELETE', 'sys/policies/acl/moving');
    expect((await engine.call('GET', 'secret/data/other', undefined, auth.client_token)).status).toBe(403);
  });

  test('capabilities tells what a token may do', async () => {
    const token = await as('path "secret/data/app/*" { capabilities = ["read", "list"] }');
    const { body } = await engine.call(
      'POST',
      'sys/capabilities-self',
      { paths: ['secret/data/app/one', 'sys/mounts'] },
      token,
    );
    expect(body.data).toEqual({ 'secret/data/app/one': ['list', 'read'], 'sys/mounts': ['deny'] });
    expect(
      (await engine.call('POST', 'sys/capabilities-self', { path: 'any' })).body.data.capabilities,
    ).toEqual(['root']);
  });

  test('internal/ui/mounts shows each caller what it may see', async () => {
    const token = await as('path "secret/data/app/*" { capabilities = ["read"] }');
    const seen = async (caller: string) =>
      Object.keys((await engine.call('GET', 'sys/internal/ui/mounts', undefined, caller)).body.data.secret);
    expect(await seen('')).toEqual([]);
    expect(await seen(token)).toContain('secret/');
    expect(await seen(token)).not.toContain('sys/x');
    expect(
      (await engine.call('GET', 'sys/internal/ui/mounts/secret/app', undefined, token)).body.data.options,
    ).toEqual({ version: '2' });
    expect((await engine.call('GET', 'sys/internal/ui/mounts/secret/app', undefined, '')).status).toBe(403);
  });
});
