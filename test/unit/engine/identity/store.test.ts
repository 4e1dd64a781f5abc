import { beforeEach, describe, expect, test } from 'vitest';
import { PolicyStore } from '../../../../src/engine/core/policies.ts';
import { deleteEntities, saveEntity } from '../../../../src/engine/identity/entities.ts';
import { saveGroupAlias } from '../../../../src/engine/identity/group-aliases.ts';
import { deleteGroup, saveGroup } from '../../../../src/engine/identity/groups.ts';
import { mergeEntities } from '../../../../src/engine/identity/merge.ts';
import { IdentityStore } from '../../../../src/engine/identity/store.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import { systemRandom } from '../../../../src/lib/random.ts';
import { Memory } from './memory.ts';

let memory: Memory;
let store: IdentityStore;
const open = () => new IdentityStore({ storage: memory, clock: systemClock, random: systemRandom });
beforeEach(() => {
  memory = new Memory();
  store = open();
});

const mount = { mountAccessor: 'auth_ldap_1', mountType: 'ldap', mountPath: 'auth/ldap/' };
const login = (name: string, more: object = {}) => store.resolveAlias({ ...mount, name, ...more });
const group = async (name: string, more: object = {}): Promise<string> => {
  const outcome = await saveGroup(store.records, { name }, { name, ...more });
  if ('refused' in outcome) throw new Error(outcome.refused);
  return outcome.group.id;
};
const external = async (name: string, policies: string[]): Promise<string> => {
  const id = await group(name, { type: 'external', policies });
  const alias = {
    name,
    mountAccessor: mount.mountAccessor,
    canonicalId: id,
    mount: () => ({ local: false }),
  };
  await saveGroupAlias(store.records, alias);
  return id;
};
const policies = async (id: string) => (await store.policiesOf(id)).identityPolicies;

describe('logins', () => {
  test('of one alias at the same time make one entity', async () => {
    const found = await Promise.all(Array.from({ length: 20 }, (_, i) => login(i % 2 ? 'Ann' : 'ann')));
    expect(new Set(found.map(({ id }) => id)).size).toBe(1);
    expect(await store.records.names('entity/')).toHaveLength(1);
    expect(found[0]?.aliases).toHaveLength(1);
  });

  test('replace the metadata of the method, and leave that of operators', async () => {
    const first = await login('ann', { metadata: { a: '1' }, customMetadata: { own: 'x' } });
    const again = await login('ann', { metadata: { a: '2' }, customMetadata: { own: 'y' } });
    expect(again.id).toBe(first.id);
    expect(again.aliases[0]).toMatchObject({ metadata: { a: '2' }, customMetadata: { own: 'x' } });
    const before = memory.entries.get(`entity/${first.id}`);
    await login('ann', { metadata: { a: '2' } });
    expect(memory.entries.get(`entity/${first.id}`)).toBe(before);
  });

  test('are known to a store that is opened later', async () => {
    const { id } = await login('ann');
    store = open();
    expect((await login('ANN')).id).toBe(id);
  });

  test('names may hold anything', async () => {
    const names = ['a/b', 'a%2Fb', 'ü', '\ud800', 'x'.repeat(5000), 'x'.repeat(5001), '..', '*'];
    const ids = [];
    for (const name of names) ids.push((await login(name)).id);
    expect(new Set(ids).size).toBe(names.length);
    store = open();
    for (const [index, name] of names.entries()) expect((await login(name)).id).toBe(ids[index]);
  });

  test('a disabled entity is returned as such', async () => {
    const { id } = await login('ann');
    await saveEntity(store.records, { id, disabled: true });
    expect((await login('ann')).disabled).toBe(true);
    expect((await store.policiesOf(id)).disabled).toBe(true);
  });
});

describe('policies', () => {
  test('come from the entity, its groups and all above them, and follow each change', async () => {
    const { id } = await login('ann');
    expect(await store.policiesOf(id)).toEqual({ identityPolicies: [], disabled: false });
    await saveEntity(store.records, { id, policies: ['OWN'] });
    const inner = await group('inner', { policies: ['inner'], memberEntityIds: [id] });
    const outer = await group('outer', { policies: ['outer', 'own'], memberGroupIds: [inner] });
    const top = await group('top', { policies: ['top'], memberGroupIds: [outer] });
    expect(await policies(id)).toEqual(['inner', 'outer', 'own', 'top']);
    await saveGroup(store.records, { id: top }, { policies: ['other'] });
    expect(await policies(id)).toEqual(['inner', 'other', 'outer', 'own']);
    await deleteGroup(store.records, { id: outer });
    expect(await policies(id)).toEqual(['inner', 'own']);
    await saveGroup(store.records, { id: inner }, { memberEntityIds: [] });
    expect(await policies(id)).toEqual(['own']);
    await deleteEntities(store.records, [id]);
    expect(await store.policiesOf(id)).toEqual({ identityPolicies: [], disabled: true });
    expect(await store.policiesOf('nobody')).toEqual({ identityPolicies: [], disabled: true });
  });

  test('are read from memory the second time', async () => {
    const { id } = await login('ann');
    await group('g', { policies: ['p'], memberEntityIds: [id] });
    await store.policiesOf(id);
    const { reads } = memory;
    await Promise.all([store.policiesOf(id), store.templateValues(id)]);
    expect(memory.reads).toBe(reads);
  });

  test('of a merged entity are those of the one it was merged into', async () => {
    const [ann, bob, cid] = [await login('ann'), await login('bob'), await login('cid')];
    await saveEntity(store.records, { id: cid.id, policies: ['c'] });
    const keep = { keep: [ann.aliases[0]?.id ?? ''], force: false };
    expect(await mergeEntities(store.records, { to: bob.id, from: [ann.id], ...keep })).toBe(undefined);
    expect(await mergeEntities(store.records, { to: cid.id, from: [bob.id], ...keep })).toBe(undefined);
    expect(await policies(ann.id)).toEqual(['c']);
    expect((await login('ann')).id).toBe(cid.id);
    await saveEntity(store.records, { id: cid.id, disabled: true });
    expect((await store.policiesOf(ann.id)).disabled).toBe(true);
    await deleteEntities(store.records, [cid.id]);
    expect((await store.policiesOf(bob.id)).disabled).toBe(true);
    expect([...memory.entries.keys()]).toEqual([]);
  });
});

describe('external groups', () => {
  test('have whom logins say, mount by mount', async () => {
    const { id } = await login('ann');
    await external('admins', ['a']);
    await external('users', ['u']);
    const inside = await group('inside', { policies: ['i'], memberEntityIds: [id] });
    await store.setExternalGroups(id, mount.mountAccessor, ['ADMINS', 'users', 'unknown']);
    expect(await policies(id)).toEqual(['a', 'i', 'u']);
    await store.setExternalGroups(id, 'auth_other_2', []);
    expect(await policies(id)).toEqual(['a', 'i', 'u']);
    await store.setExternalGroups(id, mount.mountAccessor, ['users']);
    expect(await policies(id)).toEqual(['i', 'u']);
    await store.setExternalGroups(id, mount.mountAccessor, []);
    expect(await policies(id)).toEqual(['i']);
    expect(await store.records.entitiesOfGroup(inside)).toEqual([id]);
  });

  test('a login of one entity leaves what is kept of the others', async () => {
    const [ann, bob] = [await login('ann'), await login('bob')];
    await external('users', ['u']);
    const before = await store.templateValues(bob.id);
    await store.setExternalGroups(ann.id, mount.mountAccessor, ['users']);
    expect(await store.templateValues(bob.id)).toBe(before);
  });
});

describe('templates in policies', () => {
  let acls: PolicyStore;
  beforeEach(async () => {
    acls = await PolicyStore.open(new Memory(), systemClock, store);
  });
  const read = (path: string) => `path "${path}" { capabilities = ["read"] }\n`;
  const may = async (entityId: string, path: string) =>
    (await acls.acl(['p'], entityId)).allow({ operation: 'read', path }).allowed;

  test('stand for what the entity is, and follow it', async () => {
    const { id, aliases } = await login('ann', { metadata: { role: 'dev' } });
    await saveEntity(store.records, { id, name: 'Ann', metadata: { team: 'x', 'a-b': 'dashed' } });
    const g = await group('G', { memberEntityIds: [id], metadata: { k: 'v' } });
    const entity = 'identity.entity';
    const paths: [string, string][] = [
      [`{{${entity}.id}}`, id],
      [`{{ ${entity}.name }}`, 'Ann'],
      [`{{${entity}.metadata.team}}`, 'x'],
      [`{{${entity}.metadata.a-b}}`, 'dashed'],
      [`{{${entity}.aliases.${mount.mountAccessor}.id}}`, aliases[0]?.id ?? ''],
      [`{{${entity}.aliases.${mount.mountAccessor}.name}}`, 'ann'],
      [`{{${entity}.aliases.${mount.mountAccessor}.metadata.role}}`, 'dev'],
      [`{{identity.groups.ids.${g}.name}}`, 'G'],
      ['{{identity.groups.names.G.id}}', g],
      ['{{identity.groups.names.G.metadata.k}}', 'v'],
    ];
    await acls.put('p', paths.map(([template], i) => read(`kv/${i}/${template}/*`)).join(''));
    for (const [i, [template, value]] of paths.entries())
      expect(await may(id, `kv/${i}/${value}/z`), template).toBe(true);
    const { id: stranger } = await login('bob');
    for (const [i, [, value]] of paths.entries())
      expect(await may(stranger, `kv/${i}/${value}/z`)).toBe(false);
    expect(await may('', `kv/0/${id}/z`)).toBe(false);
    await saveEntity(store.records, { id, metadata: { team: 'y' } });
    expect(await may(id, 'kv/2/x/z')).toBe(false);
    expect(await may(id, 'kv/2/y/z')).toBe(true);
    await acls.put('p', read('kv/{{identity.entity.metadata.team}}'));
    expect(await may(id, 'kv/y')).toBe(true);
    expect(await may(id, 'kv/2/y/z')).toBe(false);
  });

  test('a value cannot widen a path, nor a missing one', async () => {
    const { id } = await login('ann');
    await acls.put(
      'p',
      read('kv/{{identity.entity.metadata.team}}/x') + read('kv/a{{identity.entity.metadata'),
    );
    for (const team of ['*', '+', 'a/b', '', 'x*']) {
      await saveEntity(store.records, { id, metadata: { team } });
      for (const path of ['kv/a/x', 'kv/*/x', 'kv/a/b/x', 'kv//x', 'kv/+/x', 'kv/xy/x', 'kv/x*/x'])
        expect(await may(id, path), `${team} ${path}`).toBe(false);
    }
    await saveEntity(store.records, { id, metadata: {} });
    expect(await may(id, 'kv//x')).toBe(false);
    expect(await may(id, 'kv/{{identity.entity.metadata.team}}/x')).toBe(false);
  });

  test('an operator may allow slashes, or wildcards', async () => {
    const { id } = await login('ann');
    const path = read('kv/{{identity.entity.metadata.team}}/x');
    await saveEntity(store.records, { id, metadata: { team: 'a/b' } });
    await acls.put('p', path, { allowSlashes: true });
    expect(await may(id, 'kv/a/b/x')).toBe(true);
    await saveEntity(store.records, { id, metadata: { team: '+' } });
    expect(await may(id, 'kv/any/x')).toBe(false);
    await acls.put('p', path, { allowWildcards: true });
    expect(await may(id, 'kv/any/x')).toBe(true);
    await acls.put('p', path);
    expect(await may(id, 'kv/any/x')).toBe(false);
  });

  test('the compiled rules are kept until something changes', async () => {
    const { id } = await login('ann');
    await acls.put('p', read('kv/{{identity.entity.name}}'));
    const first = await acls.acl(['p'], id);
    expect(await acls.acl(['p'], id)).toBe(first);
    await saveEntity(store.records, { id, name: 'other' });
    expect(await acls.acl(['p'], id)).not.toBe(first);
    await acls.put('q', read('kv/plain'));
    expect(await acls.acl(['q'], id)).toBe(await acls.acl(['q'], ''));
  });
});
