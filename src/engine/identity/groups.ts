import { jsonPut, type StorageOperation } from '../logical/storage.ts';
import { checkMetadata, lowerPolicyNames } from './checks.ts';
import { groupRecord } from './group-record.ts';
import { layout } from './layout.ts';
import type { Group, Metadata, Refusal } from './model.ts';
import { pointTo, type Records, remove } from './records.ts';

/** What is to be set; what is not given stays. */
export interface GroupChange {
  readonly name?: string | undefined;
  readonly type?: string | undefined;
  readonly policies?: readonly string[] | undefined;
  readonly metadata?: Metadata | undefined;
  readonly memberEntityIds?: readonly string[] | undefined;
  readonly memberGroupIds?: readonly string[] | undefined;
}

/** Which group is meant: the one of an id, the one of a name (made when there is none), or a new one. */
export type GroupKey = { readonly id: string } | { readonly name: string } | undefined;

/** Makes a group, or changes the one that is meant. */
export function saveGroup(
  records: Records,
  key: GroupKey,
  change: GroupChange,
): Promise<Refusal | { readonly group: Group; readonly created: boolean }> {
  return records.exclusive(async () => {
    const before = await find(records, key);
    if (key !== undefined && 'id' in key && before === undefined) return { refused: 'invalid group ID' };
    const policies = change.policies === undefined ? before?.policies : lowerPolicyNames(change.policies);
    if (policies?.includes('root') === true) return { refused: 'policies cannot contain root' };
    const type = change.type ?? before?.type ?? 'internal';
    if (before !== undefined && type !== before.type) return { refused: 'group type cannot be changed' };
    if (type !== 'internal' && type !== 'external')
      return { refused: `invalid group type ${JSON.stringify(type)}` };
    const sameName = change.name ? await records.groupByName(change.name) : undefined;
    if (sameName !== undefined && sameName.id !== before?.id)
      return { refused: 'group name is already in use' };
    const problem = change.metadata === undefined ? undefined : checkMetadata(change.metadata);
    if (problem !== undefined) return { refused: `invalid group metadata: ${problem}` };
    if (type === 'external' && change.memberEntityIds !== undefined)
      return { refused: "member entities can't be set manually for external groups" };
    if (type === 'external' && change.memberGroupIds !== undefined)
      return { refused: "member groups can't be set for external groups" };

    const id = before?.id ?? records.uuid();
    const members = await memberChanges(records, id, change);
    if ('refused' in members) return members;
    const group = nextGroup(records, id, before, { ...change, type, policies: policies ?? [] });
    await records.commit(
      [
        ...(before === undefined ? [] : [remove(layout.groupName(before.name))]),
        jsonPut(layout.group(id), group),
        pointTo(layout.groupName(group.name), id, group.name),
        ...members.operations,
      ],
      { groups: [id, ...members.children] },
    );
    return { group, created: before === undefined };
  });
}

/** Removes a group with its alias and its places in others. */
export function deleteGroup(records: Records, key: NonNullable<GroupKey>): Promise<void> {
  return records.exclusive(async () => {
    const group = await find(records, key);
    if (group === undefined) return;
    const { id, alias } = group;
    const operations: StorageOperation[] = [remove(layout.group(id)), remove(layout.groupName(group.name))];
    if (alias !== null)
      operations.push(
        remove(layout.groupAlias(alias.id)),
        remove(layout.groupFactors(alias.mountAccessor, alias.name)),
      );
    for (const entity of await records.entitiesOfGroup(id))
      operations.push(remove(layout.member(id, entity)), remove(layout.memberOf(entity, id)));
    const children = await records.childrenOfGroup(id);
    const parents = await records.groupsOfGroup(id);
    for (const child of children)
      operations.push(remove(layout.child(id, child)), remove(layout.childOf(child, id)));
    for (const parent of parents)
      operations.push(remove(layout.child(parent, id)), remove(layout.childOf(id, parent)));
    for (const other of [...children, ...parents]) {
      const relative = await records.group(other);
      if (relative !== undefined) operations.push(groupRecord(records, relative));
    }
    await records.commit(operations, { groups: [id, ...children, ...parents] });
  });
}

async function find(records: Records, key: GroupKey): Promise<Group | undefined> {
  if (key === undefined) return undefined;
  return 'id' in key ? records.group(key.id) : records.groupByName(key.name);
}

function nextGroup(
  records: Records,
  id: string,
  before: Group | undefined,
  change: GroupChange & { readonly type: Group['type']; readonly policies: readonly string[] },
): Group {
  const now = records.now();
  return {
    id,
    name: change.name || before?.name || `group_${records.uuid().slice(0, 8)}`,
    type: change.type,
    policies: change.policies,
    metadata: change.metadata ?? before?.metadata ?? null,
    alias: before?.alias ?? null,
    modifyIndex: (before?.modifyIndex ?? 0) + 1,
    creationTime: before?.creationTime ?? now,
    lastUpdateTime: now,
  };
}

interface Members {
  readonly operations: StorageOperation[];
  readonly children: string[];
}

async function memberChanges(records: Records, id: string, change: GroupChange): Promise<Members | Refusal> {
  const operations: StorageOperation[] = [];
  const touched: string[] = [];
  if (change.memberEntityIds !== undefined) {
    const wanted = new Set<string>();
    for (const given of change.memberEntityIds) {
      const entity = await records.survivor(given);
      if (entity === undefined) return { refused: `invalid entity ID ${JSON.stringify(given)}` };
      wanted.add(entity.id);
    }
    for (const entity of await records.entitiesOfGroup(id)) {
      if (!wanted.delete(entity))
        operations.push(remove(layout.member(id, entity)), remove(layout.memberOf(entity, id)));
    }
    for (const entity of wanted)
      operations.push(pointTo(layout.member(id, entity), entity), pointTo(layout.memberOf(entity, id), id));
  }
  if (change.memberGroupIds !== undefined) {
    const wanted = new Set(change.memberGroupIds);
    for (const child of wanted) {
      if (child === id)
        return { refused: `member group ID ${JSON.stringify(child)} is same as the ID of the group` };
      if ((await records.group(child)) === undefined)
        return { refused: `invalid member group ID ${JSON.stringify(child)}` };
    }
    for (const child of await records.childrenOfGroup(id)) {
      if (wanted.delete(child)) continue;
      operations.push(remove(layout.child(id, child)), remove(layout.childOf(child, id)));
      touched.push(child);
    }
    for (const child of wanted) {
      if (await isBelow(records, child, id)) {
        return {
          refused: `cyclic relationship detected for member group ID ${JSON.stringify(child)}`,
        };
      }
      operations.push(pointTo(layout.child(id, child), child), pointTo(layout.childOf(child, id), id));
      touched.push(child);
    }
  }
  return { operations, children: touched };
}

/** Whether a group has another below it. */
async function isBelow(records: Records, top: string, wanted: string): Promise<boolean> {
  const seen = new Set<string>();
  const queue = [top];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    if (id === wanted) return true;
    if (seen.has(id)) continue;
    seen.add(id);
    queue.push(...(await records.childrenOfGroup(id)));
  }
  return false;
}
