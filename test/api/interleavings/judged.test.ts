import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createInmem } from '../../../src/engine/physical/inmem.ts';
import { HeldPhysical } from '../../support/held-physical.ts';
import { type Answer, type Method, World } from './world.ts';

// What a policy judges is what the endpoint gets.

let world: World;
let storage: HeldPhysical;
beforeAll(async () => {
  storage = new HeldPhysical(createInmem());
  world = await World.open(storage);
  await world.done('POST', 'auth/userpass/users/ann', { password: 'p', token_policies: 'x' });
});
afterAll(async () => world.stop());

async function holder(rules: string): Promise<string> {
  await world.done('POST', 'sys/policies/acl/judged', { policy: rules });
  return (await world.done('POST', 'auth/token/create', { policies: ['judged'] })).auth.client_token;
}

const rule = (path: string, more: string): string =>
  `path "${path}" { capabilities = ["create", "read", "update", "patch", "list", "delete"]\n ${more} }`;

describe('denied_parameters', () => {
  const denied = rule('auth/userpass/users/*', 'denied_parameters = { "token_policies" = ["admin*"] }');
  test.each([
    ['in a list in one text', { token_policies: 'x,admin1' }],
    ['with a blank before it', { token_policies: ' admin1' }],
    ['in upper case', { token_policies: 'ADMIN1' }],
    ['as an element', { token_policies: ['x', 'admin1'] }],
    ['as an element with blanks', { token_policies: ['x', ' Admin1 '] }],
    ['alone', { token_policies: 'admin1' }],
  ])('a policy is refused %s', async (_how, body) => {
    const token = await holder(denied);
    expect((await world.call('POST', 'auth/userpass/users/ann', body, token)).status).toBe(403);
  });

  test('other values pass, and a name in another case is no field', async () => {
    const token = await holder(denied);
    expect(
      (await world.call('POST', 'auth/userpass/users/ann', { token_policies: 'y,z' }, token)).status,
    ).toBe(204);
    await world.call('POST', 'auth/userpass/users/ann', { Token_Policies: 'admin1' }, token);
    expect((await world.done('GET', 'auth/userpass/users/ann')).data.token_policies).toEqual(['y', 'z']);
  });

  test('a text that an engine reads as a list is judged by its elements', async () => {
    const token = await holder(rule('ssh/roles/*', 'denied_parameters = { "allowed_users" = ["root"] }'));
    const role = { key_type: 'ca', allow_user_certificates: true };
    for (const allowed_users of ['root', 'a,root', 'a, root '])
      expect((await world.call('POST', 'ssh/roles/r', { ...role, allowed_users }, token)).status).toBe(403);
    expect((await world.call('POST', 'ssh/roles/r', { ...role, allowed_users: 'a' }, token)).status).toBe(
      204,
    );
  });
});

describe('allowed_parameters', () => {
  const allowed = rule('auth/userpass/users/*', 'allowed_parameters = { "token_policies" = ["x", "y*"] }');
  test.each([
    [{ token_policies: 'x' }, 204],
    [{ token_policies: 'x,y1' }, 204],
    [{ token_policies: ['x', 'y1'] }, 204],
    [{ token_policies: 'x,z' }, 403],
    [{ token_policies: 'y,admin' }, 403],
    [{ token_ttl: '1h' }, 403],
  ])('%j is answered with %d', async (body, status) => {
    const token = await holder(allowed);
    expect((await world.call('POST', 'auth/userpass/users/ann', body, token)).status).toBe(status);
  });
});

describe('the query of a read', () => {
  const read = (rules: string, query: string): Promise<Answer> =>
    holder(rules).then((token) => world.call('GET', 'kv-v2/data/q', {}, token, new URLSearchParams(query)));
  beforeAll(async () => {
    await world.done('POST', 'kv-v2/data/q', { data: { a: 'b' } });
  });

  test('is judged as a body is', async () => {
    const denied = rule('kv-v2/data/*', 'denied_parameters = { "version" = [] }');
    expect((await read(denied, 'version=1')).status).toBe(403);
    expect((await read(denied, '')).status).toBe(200);
    const one = rule('kv-v2/data/*', 'allowed_parameters = { "version" = [1] }');
    expect((await read(one, 'version=1')).status).toBe(200);
    expect((await read(one, 'version=2')).status).toBe(403);
    const required = rule('kv-v2/data/*', 'required_parameters = ["version"]');
    expect((await read(required, 'version=1')).status).toBe(200);
    expect((await read(required, '')).status).toBe(403);
  });

  test('a parameter that nobody knows is named', async () => {
    expect((await read(rule('kv-v2/data/*', ''), 'token=x')).body.warnings).toEqual([
      'Endpoint ignored these unrecognized parameters: [token]',
    ]);
  });
});

test('a deletion takes its fields from the query', async () => {
  await world.done('POST', 'auth/approle/role/q', { token_ttl: '1h' });
  await world.done('POST', 'auth/approle/role/q/custom-secret-id', { secret_id: 's' });
  const query = new URLSearchParams('secret_id=s');
  const path = 'auth/approle/role/q/secret-id/destroy';
  expect((await world.call('DELETE', path, {}, world.root, query)).status).toBe(204);
  expect((await world.call('POST', 'auth/approle/role/q/secret-id/lookup', { secret_id: 's' })).status).toBe(
    204,
  );
});

test('what the path says beats the body, and the answer says so', async () => {
  const { warnings } = await world.done('POST', 'transit/keys/k', { name: 'other', typ: 'ed25519' });
  expect(warnings).toEqual([
    'Endpoint ignored these unrecognized parameters: [typ]',
    "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [name]",
  ]);
});

describe('who may create only', () => {
  const writes: readonly (readonly [Method, string, object])[] = [
    ['POST', 'kv-v1/only', { a: 'mine' }],
    ['POST', 'auth/userpass/users/only', { password: 'mine' }],
  ];
  test.each(writes)('does not change what came to be meanwhile: %s %s', async (method, path, body) => {
    await world.done('POST', 'sys/policies/acl/judged', {
      policy: `path "${path}" { capabilities = ["create"] }`,
    });
    const token = (await world.done('POST', 'auth/token/create', { policies: ['judged'] })).auth.client_token;
    const parked = storage.hold((key) => key.endsWith('/only'));
    const first = world.call(method, path, { ...body, b: 'first', password: 'first' });
    await parked;
    // Judged as a creation, since nothing is there yet.
    const second = world.call(method, path, body, token);
    await new Promise((resolve) => setImmediate(resolve));
    storage.release();
    expect((await first).status).toBe(204);
    expect((await second).status).toBe(403);
  });
});

describe('a policy with one argument twice', () => {
  test.each([
    'path "a" { capabilities = ["read"]\n capabilities = ["update"] }',
    'path "a" { capabilities = ["read"]\n denied_parameters = { "a" = [], "a" = ["b"] } }',
    'path "a" { capabilities = ["read"]\n denied_parameters = { "a" = [] }\n denied_parameters = { "b" = [] } }',
    '{"path": {"a": {"capabilities": ["read"], "capabilities": ["update"]}}}',
  ])('is refused: %s', async (policy) => {
    const { status, body } = await world.call('POST', 'sys/policies/acl/twice', { policy });
    expect([status, body.errors[0]]).toEqual([400, expect.stringContaining('was already set')]);
  });
});
