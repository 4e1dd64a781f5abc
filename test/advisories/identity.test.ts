import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from '../api/support/engine.ts';
import { login, tokenWith, userpass } from './support.ts';

let engine: TestEngine;
let mount = '';
let operator = '';
beforeAll(async () => {
  engine = await TestEngine.initialized();
  mount = await userpass(engine, { ann: {}, eve: {} });
  operator = await tokenWith(
    engine,
    'path "identity/*" { capabilities = ["create", "read", "update", "patch", "delete", "list"] }',
  );
});
afterAll(() => engine.stop());

const entityOf = async (name: string): Promise<string> => (await login(engine, name)).body.auth.entity_id;
const rootNames = [
  'root',
  'ROOT',
  'Root',
  ' root',
  'root ',
  ' RooT ',
  '\troot',
  'root\n',
  'ro\u006ft',
  '\u00a0root',
];

test('CVE-2024-9180 CVE-2025-5999 CVE-2025-54996: an operator of identity gives nobody the root policy, however it is spelled', async () => {
  const id = await entityOf('eve');
  for (const name of rootNames)
    for (const [path, body] of [
      [`identity/entity/id/${id}`, { policies: [name] }],
      [`identity/entity/id/${id}`, { policies: `default,${name}` }],
      ['identity/entity', { id, policies: name }],
      ['identity/entity/name/made', { policies: [name, 'x'] }],
    ] as const) {
      await engine.call('POST', path, body, operator);
      const { auth } = (await login(engine, 'eve')).body;
      expect([
        name,
        auth.policies.includes('root'),
        auth.identity_policies?.includes('root') ?? false,
      ]).toEqual([name, false, false]);
      expect((await engine.call('GET', 'sys/policies/acl', undefined, auth.client_token)).status).toBe(403);
      expect((await engine.call('GET', `identity/entity/id/${id}`)).body.data.policies ?? []).not.toContain(
        'root',
      );
    }
  await engine.call('POST', `identity/entity/id/${id}`, { policies: ['reader'] }, operator);
  expect((await login(engine, 'eve')).body.auth.identity_policies).toEqual(['reader']);
});

test('CVE-2025-64761: nor by a group', async () => {
  const id = await entityOf('eve');
  for (const name of rootNames) {
    await engine.call(
      'POST',
      'identity/group/name/made',
      { member_entity_ids: [id], policies: [name] },
      operator,
    );
    const { body } = await engine.call(
      'POST',
      'identity/group',
      { policies: name, member_entity_ids: id },
      operator,
    );
    const { auth } = (await login(engine, 'eve')).body;
    expect([name, auth.policies.includes('root')]).toEqual([name, false]);
    expect((await engine.call('GET', 'sys/policies/acl', undefined, auth.client_token)).status).toBe(403);
    if (body?.data?.id !== undefined) await engine.call('DELETE', `identity/group/id/${body.data.id}`);
  }
  await engine.call('DELETE', 'identity/group/name/made');
});

test('CVE-2021-41802: whoever may write an alias takes nobody else’s policies by merging', async () => {
  const [ann, eve] = [await entityOf('ann'), await entityOf('eve')];
  await engine.call('POST', `identity/entity/id/${ann}`, { policies: ['of-ann'] });
  const aliasOf = async (id: string) =>
    (await engine.call('GET', `identity/entity/id/${id}`)).body.data.aliases[0];
  const [hers, own] = [await aliasOf(ann), await aliasOf(eve)];
  const writer = await tokenWith(
    engine,
    `path "identity/entity-alias/id/${own.id}" { capabilities = ["update", "create"] }`,
  );
  for (const fields of [
    { name: 'ann', mount_accessor: mount, canonical_id: eve },
    { name: 'ann', mount_accessor: mount },
    { name: 'ANN', mount_accessor: mount, canonical_id: ann },
    { name: 'eve', mount_accessor: mount, canonical_id: ann },
  ])
    await engine.call('POST', `identity/entity-alias/id/${own.id}`, fields, writer);
  const { auth } = (await login(engine, 'eve')).body;
  expect(auth.identity_policies ?? []).not.toContain('of-ann');
  expect((await aliasOf(ann)).id).toBe(hers.id);
  expect((await login(engine, 'ann')).body.auth).toMatchObject({
    entity_id: ann,
    identity_policies: ['of-ann'],
  });
});

test('CVE-2021-43998: an entity has one alias of a mount, so that templated rules name the right one', async () => {
  const eve = await entityOf('eve');
  const second = await engine.call('POST', 'identity/entity-alias', {
    name: 'second',
    mount_accessor: mount,
    canonical_id: eve,
  });
  expect(second.status).toBe(400);
  await engine.call('POST', 'sys/mounts/kv', { type: 'kv' });
  for (const name of ['eve', 'second']) await engine.call('PUT', `kv/${name}/a`, { value: 'x' });
  const policy = `path "kv/{{identity.entity.aliases.${mount}.name}}/*" { capabilities = ["read"] }`;
  await engine.call('PUT', 'sys/policies/acl/own', { policy });
  await engine.call('POST', 'auth/userpass/users/eve', { token_policies: 'own' });
  const token = (await login(engine, 'eve')).body.auth.client_token;
  const read = async (path: string) => (await engine.call('GET', path, undefined, token)).status;
  expect([await read('kv/eve/a'), await read('kv/second/a')]).toEqual([200, 403]);
});

test('CVE-2022-40186: aliases with one name at two mounts keep their own metadata', async () => {
  const other = await userpass(engine, { ann: {} }, 'other');
  const ann = await entityOf('ann');
  const alias = await engine.call('POST', 'identity/entity-alias', {
    name: 'ann',
    mount_accessor: other,
    canonical_id: ann,
    custom_metadata: { team: 'other-team' },
  });
  expect(alias.status).toBe(200);
  await engine.call('PUT', 'kv/other-team/a', { value: 'x' });
  const rule = (accessor: string) =>
    `path "kv/{{identity.entity.aliases.${accessor}.custom_metadata.team}}/*" { capabilities = ["read"] }`;
  await engine.call('PUT', 'sys/policies/acl/first', { policy: rule(mount) });
  await engine.call('PUT', 'sys/policies/acl/second', { policy: rule(other) });
  for (const [path, policies] of [
    ['userpass', 'first'],
    ['other', 'second'],
  ])
    await engine.call('POST', `auth/${path}/users/ann`, { token_policies: policies });
  const read = async (path: string): Promise<number> => {
    const { auth } = (await login(engine, 'ann', 'canary-of-ann', path)).body;
    expect(auth.entity_id).toBe(ann);
    return (await engine.call('GET', 'kv/other-team/a', undefined, auth.client_token)).status;
  };
  expect([await read('userpass'), await read('other'), await read('userpass')]).toEqual([403, 200, 403]);
  const { aliases } = (await engine.call('GET', `identity/entity/id/${ann}`)).body.data;
  const metadata = Object.fromEntries(
    aliases.map((each: any) => [each.mount_accessor, each.custom_metadata]),
  );
  expect(metadata).toMatchObject({ [other]: { team: 'other-team' } });
  expect(metadata[mount] ?? {}).toEqual({});
});

test('CVE-2020-10660: a member who was taken out of a group has nothing of it any more, with a token of before too', async () => {
  await engine.call('PUT', 'sys/policies/acl/team', { policy: 'path "kv/team" { capabilities = ["read"] }' });
  await engine.call('PUT', 'kv/team', { value: 'x' });
  const { auth } = (await login(engine, 'eve')).body;
  const read = async () => (await engine.call('GET', 'kv/team', undefined, auth.client_token)).status;
  const group = (members: string[]) =>
    engine.call('POST', 'identity/group/name/team', { policies: ['team'], member_entity_ids: members });
  const parent = async () => {
    const inner = (await engine.call('GET', 'identity/group/name/inner')).body.data.id;
    return engine.call('POST', 'identity/group/name/team', {
      member_group_ids: [inner],
      member_entity_ids: [],
    });
  };
  await group([auth.entity_id]);
  expect(await read()).toBe(200);
  await group([]);
  expect(await read()).toBe(403);
  await engine.call('POST', 'identity/group/name/inner', { member_entity_ids: [auth.entity_id] });
  await parent();
  expect(await read()).toBe(200);
  await engine.call('DELETE', 'identity/group/name/inner');
  expect(await read()).toBe(403);
  await group([auth.entity_id]);
  await engine.restart();
  expect(await read()).toBe(200);
  await engine.call('DELETE', 'identity/group/name/team');
  expect(await read()).toBe(403);
});
