import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
let token: string;
let kv: string;
let other: string;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/mounts/kv', { type: 'kv' });
  await engine.call('POST', 'sys/mounts/other', { type: 'kv' });
  const mounts = (await engine.call('GET', 'sys/mounts')).body.data;
  kv = mounts['kv/'].accessor;
  other = mounts['other/'].accessor;
  token = (await engine.call('GET', 'sys/auth')).body.data['token/'].accessor;
});
afterAll(() => engine.stop());

const post = (path: string, body: object = {}) => engine.call('POST', `identity/${path}`, body);
const get = (path: string) => engine.call('GET', `identity/${path}`);
const list = (path: string) => engine.call('LIST', `identity/${path}`);
const del = (path: string) => engine.call('DELETE', `identity/${path}`);
const refused = async (path: string, body: object) => {
  const answer = await post(path, body);
  expect(answer.status).toBe(400);
  return answer.body.errors[0] as string;
};
const entity = async (name: string, more: object = {}): Promise<string> =>
  (await post('entity', { name, ...more })).body.data.id;
const alias = async (canonical_id: string, mount_accessor: string, name: string): Promise<string> =>
  (await post('entity-alias', { canonical_id, mount_accessor, name })).body.data.id;
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
const ID = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);

describe('the mount', () => {
  test('is there from the beginning, once and for ever', async () => {
    const mount = (await engine.call('GET', 'sys/mounts')).body.data['identity/'];
    expect(mount).toMatchObject({
      type: 'identity',
      description: 'identity store',
      config: { passthrough_request_headers: ['Authorization'] },
    });
    expect((await engine.call('DELETE', 'sys/mounts/identity')).status).toBe(400);
    expect((await engine.call('POST', 'sys/mounts/x', { type: 'identity' })).body.errors).toEqual([
      'mount type of "identity" is not mountable',
    ]);
  });
});

describe('entities', () => {
  test('live as the documentation tells', async () => {
    const made = await post('entity', { name: 'Ann', policies: 'dev,app, App,dev', metadata: 'team=x' });
    expect(made).toMatchObject({ status: 200, body: { data: { aliases: null, id: ID, name: 'Ann' } } });
    const { id } = made.body.data;
    const shown = (await get('entity/name/ann')).body.data;
    expect(shown).toEqual({
      aliases: [],
      creation_time: TIME,
      direct_group_ids: [],
      disabled: false,
      group_ids: [],
      id,
      inherited_group_ids: [],
      last_update_time: TIME,
      merged_entity_ids: null,
      metadata: { team: 'x' },
      name: 'Ann',
      namespace_id: 'root',
      policies: ['App', 'app', 'dev'],
    });
    expect((await get(`entity/id/${id}`)).body.data).toEqual(shown);
    // By name or by id, what is given changes and the rest stays.
    expect((await post('entity', { name: 'ANN', disabled: true })).status).toBe(204);
    expect((await post(`entity/id/${id}`, { name: 'a/b', metadata: { k: 'v' } })).status).toBe(204);
    expect((await get('entity/name/ann')).status).toBe(404);
    expect((await get('entity/name/a/b')).body.data).toMatchObject({
      id,
      disabled: true,
      metadata: { k: 'v' },
      policies: ['App', 'app', 'dev'],
    });
    expect((await post('entity/name/a/b', { policies: [] })).status).toBe(204);
    expect((await get(`entity/id/${id}`)).body.data.policies).toEqual([]);
    expect((await list('entity/name')).body.data).toEqual({ keys: ['a/b'] });
    expect((await list('entity/id')).body.data).toEqual({
      keys: [id],
      key_info: { [id]: { name: 'a/b' } },
    });
    expect((await del('entity/name/a/b')).status).toBe(204);
    expect((await del(`entity/id/${id}`)).status).toBe(204);
    expect(await get(`entity/id/${id}`)).toMatchObject({ status: 404, body: { errors: [] } });
    expect((await list('entity/id')).status).toBe(404);
    expect((await list('entity/name')).status).toBe(404);
  });

  test('get a name of their own, and are deleted together', async () => {
    const made = (await post('entity')).body.data;
    expect(made.name).toMatch(/^entity_[0-9a-f]{8}$/);
    const ids = [made.id, await entity('two')];
    expect((await post('entity/batch-delete', { entity_ids: [...ids, 'unknown'] })).status).toBe(204);
    expect((await get('entity/name/two')).status).toBe(404);
    expect(await refused('entity/batch-delete', {})).toBe('missing entity ids to delete');
  });

  test('refuse what cannot be', async () => {
    const id = await entity('first');
    await entity('second');
    expect(await refused('entity', { id: 'nobody' })).toBe('entity not found from id');
    expect(await refused(`entity/id/${id}`, { name: 'Second' })).toBe('entity name is already in use');
    expect(await refused('entity', { name: 'x', policies: ['Root'] })).toBe('policies cannot contain root');
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, 'v']));
    for (const metadata of [
      many,
      { 'a b': 'v' },
      { '': 'v' },
      { k: 'v'.repeat(513) },
      { ['k'.repeat(129)]: 'v' },
    ])
      expect(await refused('entity', { name: 'x', metadata })).toMatch(/^invalid entity metadata: /);
    expect(await refused('entity', { metadata: 'novalue' })).toMatch(/^Field validation failed/);
    expect((await get('entity/name/x')).status).toBe(404);
    await post('entity/batch-delete', { entity_ids: [id, (await get('entity/name/second')).body.data.id] });
  });
});

describe('aliases', () => {
  test('are made, moved, listed and deleted', async () => {
    const ann = await entity('ann');
    const bob = await entity('bob');
    const made = await post('entity-alias', {
      name: 'Ann',
      canonical_id: ann,
      mount_accessor: token,
      custom_metadata: { a: 'b' },
    });
    expect(made).toMatchObject({ status: 200, body: { data: { id: ID, canonical_id: ann } } });
    const { id } = made.body.data;
    const shown = {
      canonical_id: ann,
      creation_time: TIME,
      custom_metadata: { a: 'b' },
      id,
      last_update_time: TIME,
      local: false,
      merged_from_canonical_ids: null,
      metadata: null,
      mount_accessor: token,
      mount_path: 'auth/token/',
      mount_type: 'token',
      name: 'Ann',
    };
    expect((await get(`entity/id/${ann}`)).body.data.aliases).toEqual([shown]);
    expect((await get(`entity-alias/id/${id}`)).body.data).toEqual({ ...shown, namespace_id: 'root' });
    expect((await get(`alias/id/${id}`)).body.data.id).toBe(id);
    expect((await list('entity-alias/id')).body.data).toEqual({
      keys: [id],
      key_info: {
        [id]: {
          canonical_id: ann,
          custom_metadata: { a: 'b' },
          local: false,
          metadata: null,
          mount_accessor: token,
          mount_path: 'auth/token/',
          mount_type: 'token',
          name: 'Ann',
        },
      },
    });
    expect((await list('entity/id')).body.data.key_info[ann]).toEqual({
      aliases: [{ id, mount_accessor: token, mount_path: 'auth/token/', mount_type: 'token', name: 'Ann' }],
      name: 'ann',
    });
    // The same again changes nothing; by mount and name it is the same alias.
    expect(
      (await post('entity-alias', { name: 'ann', canonical_id: ann, mount_accessor: token })).body.data,
    ).toEqual({ id, canonical_id: ann });
    expect(
      (await post('entity-alias', { name: 'ann', canonical_id: ann, mount_accessor: token })).status,
    ).toBe(204);
    expect((await post(`entity-alias/id/${id}`, { canonical_id: bob, name: 'annie' })).body.data).toEqual({
      id,
      canonical_id: bob,
    });
    expect((await get(`entity/id/${ann}`)).body.data.aliases).toEqual([]);
    expect(
      (await post('lookup/entity', { alias_name: 'ANNIE', alias_mount_accessor: token })).body.data.id,
    ).toBe(bob);
    expect((await post('lookup/entity', { alias_id: id })).body.data.id).toBe(bob);
    expect((await post('lookup/entity', { alias_name: 'ann', alias_mount_accessor: token })).status).toBe(
      204,
    );
    expect((await del(`entity-alias/id/${id}`)).status).toBe(204);
    expect((await get(`entity-alias/id/${id}`)).status).toBe(404);
    expect((await list('entity-alias/id')).status).toBe(404);
    expect((await get(`entity/id/${bob}`)).body.data.aliases).toEqual([]);
    await post('entity/batch-delete', { entity_ids: [ann, bob] });
  });

  test('make an entity when none is named; go with it', async () => {
    const made = (await post('alias', { name: 'new', mount_accessor: kv })).body.data;
    expect((await get(`entity/id/${made.canonical_id}`)).body.data.aliases[0].id).toBe(made.id);
    await del(`entity/id/${made.canonical_id}`);
    expect((await get(`entity-alias/id/${made.id}`)).status).toBe(404);
  });

  test('refuse what cannot be', async () => {
    const one = await entity('one');
    const two = await entity('two');
    const first = await alias(one, kv, 'x');
    const second = await alias(two, kv, 'y');
    const third = await alias(one, other, 'z');
    for (const [body, message] of [
      [{}, "'id' or 'mount_accessor' and 'name' must be provided"],
      [{ id: 'nothing' }, 'invalid alias ID provided'],
      [{ name: 'a', mount_accessor: 'none' }, 'invalid mount accessor "none"'],
      [{ name: 'a', mount_accessor: token, canonical_id: 'nobody' }, 'invalid canonical ID'],
      [
        { name: 'a', mount_accessor: kv, canonical_id: one },
        'Alias already exists for requested entity and mount accessor',
      ],
      [{ id: first, name: 'Y' }, 'alias with combination of mount accessor and name already exists'],
      [
        { id: second, canonical_id: one },
        'Alias cannot be updated as the given entity already has an alias for this mount ',
      ],
      [
        { id: third, mount_accessor: kv },
        "Alias cannot be updated as the entity already has an alias for the given 'mount_accessor' ",
      ],
    ] as const)
      expect(await refused('entity-alias', body), message).toBe(message);
    expect(await refused('entity-alias', { id: first, custom_metadata: { a: '' } })).toMatch(
      /^custom_metadata validation failed: /,
    );
    await post('entity/batch-delete', { entity_ids: [one, two] });
  });
});

describe('merging', () => {
  test('moves aliases and memberships, and the merged id still counts', async () => {
    const [to, from] = [await entity('to', { policies: 'p' }), await entity('from', { policies: 'q' })];
    const moved = await alias(from, kv, 'f');
    await post('group', { name: 'both', member_entity_ids: [from] });
    expect((await post('entity/merge', { to_entity_id: to, from_entity_ids: [from] })).status).toBe(204);
    const merged = (await get(`entity/id/${to}`)).body.data;
    expect(merged).toMatchObject({ merged_entity_ids: [from], policies: ['p'] });
    expect(merged.aliases).toMatchObject([
      { id: moved, canonical_id: to, merged_from_canonical_ids: [from] },
    ]);
    expect((await get('group/name/both')).body.data.member_entity_ids).toEqual([to]);
    expect((await get(`entity/id/${from}`)).status).toBe(404);
    expect((await get('entity/name/from')).status).toBe(404);
    await del(`entity/id/${to}`);
    expect((await get('group/name/both')).body.data.member_entity_ids).toBe(null);
    await del('group/name/both');
  });

  test('asks which of two aliases at one mount is to stay', async () => {
    const [to, from] = [await entity('to'), await entity('from')];
    const [stays, goes] = [await alias(from, kv, 'f'), await alias(to, kv, 't')];
    const asked = await post('entity/merge', { to_entity_id: to, from_entity_ids: from });
    expect(asked.status).toBe(400);
    expect(asked.body.errors[0]).toContain(`conflicting toEntity alias ID: ${goes}`);
    expect(asked.body.data).toEqual([
      { alias: 't', entity: 'to', entity_id: to, mount: 'kv', mount_path: 'kv/' },
      { alias: 'f', entity: 'from', entity_id: from, mount: 'kv', mount_path: 'kv/' },
    ]);
    const keep = { to_entity_id: to, from_entity_ids: from, conflicting_alias_ids_to_keep: stays };
    expect((await post('entity/merge', keep)).status).toBe(204);
    expect((await get(`entity/id/${to}`)).body.data.aliases).toMatchObject([{ id: stays, name: 'f' }]);
    expect((await get(`entity-alias/id/${goes}`)).status).toBe(404);
    for (const [body, message] of [
      [{}, 'missing entity id to merge to'],
      [{ to_entity_id: to }, 'missing entity ids to merge from'],
      [{ to_entity_id: 'x', from_entity_ids: to }, 'entity id to merge to is invalid'],
      [{ to_entity_id: to, from_entity_ids: 'x' }, 'entity id to merge from is invalid'],
      [{ to_entity_id: to, from_entity_ids: to }, 'to_entity_id should not be present in from_entity_ids'],
    ] as const)
      expect(await refused('entity/merge', body)).toBe(message);
    await del(`entity/id/${to}`);
  });
});

test('the token endpoint of a provider takes forms and Basic authentication', async () => {
  await post('oidc/client/app', { client_credentials: true, access_token_ttl: '5m' });
  const { client_id, client_secret } = (await get('oidc/client/app')).body.data;
  const basic = (secret: string) => ({
    Authorization: `Basic ${Buffer.from(`${client_id}:${secret}`).toString('base64')}`,
    'Content-Type': 'application/x-www-form-urlencoded',
  });
  const exchange = (body: string, headers: Record<string, string>) =>
    engine.call('POST', 'identity/oidc/provider/default/token', body, '', headers);
  const form = 'grant_type=client_credentials&scope=openid%20x';
  expect(await exchange(form, basic(client_secret))).toMatchObject({
    status: 200,
    body: { access_token: expect.stringMatching(/^ey/), expires_in: 300, token_type: 'Bearer' },
  });
  expect(await exchange(form, basic('x'))).toMatchObject({
    status: 401,
    body: { error: 'invalid_client', error_description: 'client failed to authenticate' },
  });
  // As curl sends JSON when it is not told what it is.
  const json = JSON.stringify({ grant_type: 'client_credentials', scope: 'openid' });
  expect((await exchange(json, basic(client_secret))).status).toBe(200);
  const { keys } = (
    await engine.call('GET', 'identity/oidc/provider/default/.well-known/keys', undefined, '')
  ).body;
  expect(keys).toHaveLength(2);
  expect((await engine.call('GET', 'identity/oidc/.well-known/keys', undefined, '')).body).toEqual({
    keys: [],
  });
  const userinfo = 'identity/oidc/provider/default/userinfo';
  expect((await engine.call('GET', userinfo, undefined, 'x')).body.error).toBe('invalid_token');
  expect((await engine.call('GET', userinfo, undefined, '')).status).toBe(403);
});

test('everything is there after a restart', async () => {
  const ann = await entity('ann', { metadata: { a: 'b' } });
  await alias(ann, kv, 'ann');
  await post('group', { name: 'g', member_entity_ids: ann });
  const before = (await get('entity/name/ann')).body.data;
  await engine.restart();
  expect((await get('entity/name/ann')).body.data).toEqual(before);
  expect(before.group_ids).toHaveLength(1);
});
