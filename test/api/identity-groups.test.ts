import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
let token: string;
let kv: string;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/mounts/kv', { type: 'kv' });
  const mounts = (await engine.call('GET', 'sys/mounts')).body.data;
  kv = mounts['kv/'].accessor;
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
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
const ID = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);

describe('groups', () => {
  test('live as the documentation tells', async () => {
    const ann = await entity('ann');
    const made = await post('group', {
      name: 'G',
      policies: 'app',
      member_entity_ids: ann,
      metadata: { a: 'b' },
    });
    expect(made).toMatchObject({ status: 200, body: { data: { id: ID, name: 'G' } } });
    const { id } = made.body.data;
    const shown = {
      alias: {},
      creation_time: TIME,
      id,
      last_update_time: TIME,
      member_entity_ids: [ann],
      member_group_ids: null,
      metadata: { a: 'b' },
      modify_index: 1,
      name: 'G',
      namespace_id: 'root',
      parent_group_ids: null,
      policies: ['app'],
      type: 'internal',
    };
    expect((await get('group/name/g')).body.data).toEqual(shown);
    expect((await post('lookup/group', { name: 'g' })).body.data).toEqual(shown);
    const top = (await post('group', { name: 'top', member_group_ids: [id] })).body.data.id;
    expect((await get(`group/id/${id}`)).body.data.parent_group_ids).toEqual([top]);
    expect((await get(`group/id/${top}`)).body.data.member_group_ids).toEqual([id]);
    expect((await get(`entity/id/${ann}`)).body.data).toMatchObject({
      direct_group_ids: [id],
      inherited_group_ids: [top],
      group_ids: [id, top],
    });
    expect((await post('group/name/G', { policies: ['other'] })).status).toBe(204);
    expect((await get(`group/id/${id}`)).body.data).toMatchObject({
      policies: ['other'],
      member_entity_ids: [ann],
      modify_index: 2,
    });
    expect((await list('group/id')).body.data.key_info[id]).toEqual({
      name: 'G',
      num_member_entities: 1,
      num_parent_groups: 1,
    });
    expect((await list('group/name')).body.data).toEqual({ keys: ['G', 'top'] });
    expect((await del(`group/id/${top}`)).status).toBe(204);
    expect((await get(`group/id/${id}`)).body.data.parent_group_ids).toBe(null);
    expect((await del('group/name/g')).status).toBe(204);
    expect((await get(`entity/id/${ann}`)).body.data.group_ids).toEqual([]);
    expect((await get(`group/id/${id}`)).status).toBe(404);
    expect((await list('group/id')).status).toBe(404);
    await del(`entity/id/${ann}`);
  });

  test('form no circle, and refuse what cannot be', async () => {
    const a = (await post('group', { name: 'a' })).body.data.id;
    const b = (await post('group', { name: 'b', member_group_ids: a })).body.data.id;
    const c = (await post('group', { name: 'c', member_group_ids: b })).body.data.id;
    for (const [path, body, message] of [
      [`group/id/${a}`, { member_group_ids: c }, `cyclic relationship detected for member group ID "${c}"`],
      [`group/id/${a}`, { member_group_ids: a }, `member group ID "${a}" is same as the ID of the group`],
      [`group/id/${a}`, { member_group_ids: 'x' }, 'invalid member group ID "x"'],
      [`group/id/${a}`, { member_entity_ids: 'x' }, 'invalid entity ID "x"'],
      [`group/id/${a}`, { name: 'B' }, 'group name is already in use'],
      [`group/id/${a}`, { type: 'external' }, 'group type cannot be changed'],
      ['group/id/x', {}, 'invalid group ID'],
      ['group', { id: '' }, 'empty group ID'],
      ['group', { name: 'd', type: 'other' }, 'invalid group type "other"'],
      ['group', { name: 'd', policies: 'root' }, 'policies cannot contain root'],
      [
        'group',
        { name: 'd', type: 'external', member_entity_ids: 'x' },
        "member entities can't be set manually for external groups",
      ],
      [
        'group',
        { name: 'd', type: 'external', member_group_ids: a },
        "member groups can't be set for external groups",
      ],
    ] as const)
      expect(await refused(path, body), message).toBe(message);
    expect((await get('group/name/d')).status).toBe(404);
    for (const id of [a, b, c]) await del(`group/id/${id}`);
  });

  test('external ones have an alias', async () => {
    const id = (await post('group', { name: 'ext', type: 'external' })).body.data.id;
    const made = await post('group-alias', { name: 'admins', mount_accessor: token, canonical_id: id });
    expect(made).toMatchObject({ status: 200, body: { data: { id: ID, canonical_id: id } } });
    const aliasId = made.body.data.id;
    expect((await get(`group-alias/id/${aliasId}`)).body.data).toMatchObject({
      canonical_id: id,
      mount_accessor: token,
      mount_path: 'auth/token/',
      mount_type: 'token',
      name: 'admins',
      namespace_id: 'root',
    });
    expect((await get(`group/id/${id}`)).body.data).toMatchObject({
      type: 'external',
      alias: { id: aliasId, name: 'admins', canonical_id: id, merged_from_canonical_ids: null },
    });
    expect((await list('group-alias/id')).body.data).toMatchObject({
      keys: [aliasId],
      key_info: { [aliasId]: { canonical_id: id, name: 'admins' } },
    });
    const lookup = { alias_name: 'admins', alias_mount_accessor: token };
    expect((await post('lookup/group', lookup)).body.data.id).toBe(id);
    expect((await post('group-alias', { name: 'admins', mount_accessor: token, id: aliasId })).status).toBe(
      204,
    );
    const renamed = { name: 'ops', mount_accessor: token };
    expect((await post(`group-alias/id/${aliasId}`, renamed)).body.data).toEqual({
      id: aliasId,
      canonical_id: id,
    });
    expect((await post('lookup/group', lookup)).status).toBe(204);
    const internal = (await post('group', { name: 'int' })).body.data.id;
    for (const [body, message] of [
      [{ mount_accessor: token }, 'missing alias name'],
      [{ name: 'x' }, 'missing mount_accessor'],
      [{ id: 'x', name: 'x', mount_accessor: token }, 'invalid group alias ID'],
      [{ name: 'x', mount_accessor: 'none' }, 'invalid mount accessor "none"'],
      [{ name: 'ops', mount_accessor: token }, 'combination of mount and group alias name is already in use'],
      [{ name: 'x', mount_accessor: token, canonical_id: 'x' }, "invalid group ID given in 'canonical_id'"],
      [
        { name: 'x', mount_accessor: token, canonical_id: internal },
        "alias can't be set on an internal group",
      ],
    ] as const)
      expect(await refused('group-alias', body), message).toBe(message);
    expect((await del(`group-alias/id/${aliasId}`)).status).toBe(204);
    expect((await get(`group/id/${id}`)).body.data.alias).toEqual({});
    // An alias by itself makes its group; both go together.
    const alone = (await post('group-alias', { name: 'alone', mount_accessor: kv })).body.data;
    expect((await get(`group/id/${alone.canonical_id}`)).body.data.type).toBe('external');
    await del(`group/id/${alone.canonical_id}`);
    expect((await get(`group-alias/id/${alone.id}`)).status).toBe(404);
    for (const each of [id, internal]) await del(`group/id/${each}`);
  });

  test('lookups need one question', async () => {
    for (const kind of ['entity', 'group']) {
      expect(await refused(`lookup/${kind}`, {})).toBe('query parameter not supplied');
      expect(await refused(`lookup/${kind}`, { alias_name: 'x' })).toBe(
        "both 'alias_name' and 'alias_mount_accessor' needs to be set",
      );
      expect(await refused(`lookup/${kind}`, { id: 'x', name: 'y' })).toBe(
        'query parameter conflict; please supply distinct set of query parameters',
      );
      expect((await post(`lookup/${kind}`, { id: 'x' })).status).toBe(204);
    }
  });
});
