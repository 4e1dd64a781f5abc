import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deleteAlias, saveAlias } from '../../../../src/engine/identity/aliases.ts';
import { deleteEntities, saveEntity } from '../../../../src/engine/identity/entities.ts';
import { deleteGroupAlias, saveGroupAlias } from '../../../../src/engine/identity/group-aliases.ts';
import { deleteGroup, saveGroup } from '../../../../src/engine/identity/groups.ts';
import { layout } from '../../../../src/engine/identity/layout.ts';
import { mergeEntities } from '../../../../src/engine/identity/merge.ts';
import type { Entity, Group } from '../../../../src/engine/identity/model.ts';
import { IdentityStore } from '../../../../src/engine/identity/store.ts';
import { text } from '../../../../src/lib/bytes.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import { systemRandom } from '../../../../src/lib/random.ts';
import { Memory } from './memory.ts';

const NAMES = ['a', 'B', 'c', 'd'];
const MOUNTS = ['m1', 'm2'];
const mount = () => ({ local: false });

/** One change, by small numbers that choose among what there is. */
async function act(store: IdentityStore, kind: number, x: number, y: number): Promise<unknown> {
  const { records } = store;
  const name = NAMES[x % 4] ?? '';
  const accessor = MOUNTS[y % 2] ?? '';
  const pick = (ids: string[], by: number): string => ids[by % Math.max(ids.length, 1)] ?? 'nothing';
  const [entities, groups] = [await records.names('entity/'), await records.names('group/')];
  const [aliases, groupAliases] = [await records.names('alias/'), await records.names('group-alias/')];
  const [entity, group] = [pick(entities, x), pick(groups, x)];
  switch (kind) {
    case 0:
      return store.resolveAlias({ mountAccessor: accessor, mountType: '', mountPath: '', name });
    case 1:
      return saveEntity(records, { ...(y % 3 === 0 ? { id: entity } : {}), name });
    case 2:
      return deleteEntities(records, [entity]);
    case 3:
      return saveAlias(records, { name, mountAccessor: accessor, canonicalId: pick(entities, y), mount });
    case 4:
      return saveAlias(records, { id: pick(aliases, y), name, canonicalId: entity, mount });
    case 5:
      return deleteAlias(records, pick(aliases, x));
    case 6: {
      const keep = y % 2 === 0 ? [] : aliases;
      return mergeEntities(records, {
        to: entity,
        from: [pick(entities, y)],
        keep: keep.slice(0, 1),
        force: true,
      });
    }
    case 7:
      return saveGroup(records, { name }, { name, ...(y % 3 === 0 ? { type: 'external' } : {}) });
    case 8:
      return saveGroup(records, { id: group }, { memberEntityIds: entities.slice(y % 3), name });
    case 9:
      return saveGroup(records, { id: group }, { memberGroupIds: [pick(groups, y)] });
    case 10:
      return deleteGroup(records, { id: group });
    case 11:
      return saveGroupAlias(records, {
        name,
        mountAccessor: accessor,
        canonicalId: y % 3 ? group : '',
        mount,
      });
    case 12:
      return deleteGroupAlias(records, pick(groupAliases, x));
    default:
      return store.setExternalGroups(entity, accessor, NAMES.slice(y % 4));
  }
}

/** Every key that the entities and groups there are call for, and to whom each leads. */
function wanted(entities: readonly Entity[], groups: readonly Group[]): Map<string, string> {
  const keys = new Map<string, string>();
  for (const entity of entities) {
    keys.set(layout.entity(entity.id), entity.id).set(layout.entityName(entity.name), entity.id);
    for (const id of entity.mergedEntityIds) keys.set(layout.merged(id), entity.id);
    for (const { id, mountAccessor, name, canonicalId } of entity.aliases) {
      expect(canonicalId).toBe(entity.id);
      keys.set(layout.alias(id), entity.id).set(layout.factors(mountAccessor, name), entity.id);
    }
    const accessors = entity.aliases.map(({ mountAccessor }) => mountAccessor);
    expect(new Set(accessors).size).toBe(accessors.length);
  }
  for (const { id, name, alias } of groups) {
    keys.set(layout.group(id), id).set(layout.groupName(name), id);
    if (alias === null) continue;
    expect(alias.canonicalId).toBe(id);
    keys.set(layout.groupAlias(alias.id), id);
    keys.set(layout.groupFactors(alias.mountAccessor, alias.name), id);
  }
  return keys;
}

test('after changes at the same time each index leads to what calls for it, and nothing is left over', async () => {
  const change = fc.tuple(fc.nat(13), fc.nat(11), fc.nat(11));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { maxLength: 25, size: 'max' }),
      async (rounds) => {
        const memory = new Memory();
        const store = new IdentityStore({ storage: memory, clock: systemClock, random: systemRandom });
        for (const round of rounds) await Promise.all(round.map((each) => act(store, ...each)));

        const stored = new Map([...memory.entries].map(([key, value]) => [key, JSON.parse(text(value))]));
        const all = <T>(prefix: string): T[] =>
          [...stored].filter(([key]) => key.startsWith(prefix)).map(([, value]) => value as T);
        const [entities, groups] = [all<Entity>('entity/'), all<Group>('group/')];
        const links = [...stored.keys()].filter((key) => /^(?:member|child)(?:-of)?\//.test(key));
        const found = new Map(
          [...stored].filter(([key]) => !links.includes(key)).map(([key, { id }]) => [key, id]),
        );
        expect(found).toEqual(wanted(entities, groups));

        const groupIds = new Set(groups.map(({ id }) => id));
        const entityIds = new Set(entities.map(({ id }) => id));
        for (const key of links) {
          const [kind = '', one = '', other = ''] = key.split('/');
          const back = kind.endsWith('-of') ? kind.slice(0, -3) : `${kind}-of`;
          expect(stored.has(`${back}/${other}/${one}`), key).toBe(true);
          const [owner, member] = kind.endsWith('-of') ? [other, one] : [one, other];
          expect(groupIds.has(owner), key).toBe(true);
          expect((kind.startsWith('member') ? entityIds : groupIds).has(member), key).toBe(true);
        }
        // What is kept in memory is what is stored.
        for (const entity of entities) expect(await store.entity(entity.id)).toEqual(entity);
        for (const group of groups) expect(await store.records.group(group.id)).toEqual(group);
        const fresh = new IdentityStore({ storage: memory, clock: systemClock, random: systemRandom });
        for (const { id } of entities) expect(await store.policiesOf(id)).toEqual(await fresh.policiesOf(id));
      },
    ),
    { numRuns: 150 },
  );
});
