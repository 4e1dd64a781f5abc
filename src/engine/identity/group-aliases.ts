import { type StorageOperation } from '../logical/storage.ts';
import { groupRecord } from './group-record.ts';
import { layout } from './layout.ts';
import type { Group, GroupAlias, Refusal } from './model.ts';
import { pointTo, type Records, remove } from './records.ts';

export interface GroupAliasChange {
  readonly id?: string | undefined;
  readonly name: string;
  readonly mountAccessor: string;
  readonly canonicalId: string;
  readonly mount: (accessor: string) => { readonly local: boolean } | undefined;
}

export type GroupAliasOutcome = Refusal | { readonly alias: GroupAlias; readonly changed: boolean };

/** Makes the alias of an external group (and the group, when none is named), or changes the one of that id. */
export function saveGroupAlias(records: Records, change: GroupAliasChange): Promise<GroupAliasOutcome> {
  return records.exclusive(async () => {
    const { name, mountAccessor, canonicalId } = change;
    const previous = change.id === undefined ? undefined : await records.groupByAlias(change.id);
    const before = previous?.alias ?? undefined;
    if (change.id !== undefined && before === undefined) return { refused: 'invalid group alias ID' };
    if (name === '') return { refused: 'missing alias name' };
    if (mountAccessor === '') return { refused: 'missing mount_accessor' };
    if (
      before?.name === name &&
      before.mountAccessor === mountAccessor &&
      (canonicalId === '' || canonicalId === before.canonicalId)
    )
      return { alias: before, changed: false };
    const named = canonicalId === '' ? undefined : await records.group(canonicalId);
    if (canonicalId !== '' && named === undefined)
      return { refused: "invalid group ID given in 'canonical_id'" };
    if (named?.type === 'internal') return { refused: "alias can't be set on an internal group" };
    const mount = change.mount(mountAccessor);
    if (mount === undefined) return { refused: `invalid mount accessor ${JSON.stringify(mountAccessor)}` };
    if (mount.local) return { refused: `mount accessor ${JSON.stringify(mountAccessor)} is a local mount` };
    const taken = await records.groupByFactors(mountAccessor, name);
    if (taken !== undefined && taken.alias?.id !== before?.id)
      return { refused: 'combination of mount and group alias name is already in use' };

    const target = named ?? previous ?? newGroup(records);
    const now = records.now();
    const alias: GroupAlias = {
      id: before?.id ?? records.uuid(),
      canonicalId: target.id,
      mountAccessor,
      name,
      creationTime: before?.creationTime ?? now,
      lastUpdateTime: now,
    };
    await records.commit(changes(records, { previous, before, target, alias }), {
      groups: [target.id, ...(previous === undefined ? [] : [previous.id])],
    });
    return { alias, changed: true };
  });
}

/** Removes an alias; the group stays, and whom logins put into it. */
export function deleteGroupAlias(records: Records, id: string): Promise<void> {
  return records.exclusive(async () => {
    const group = await records.groupByAlias(id);
    if (group?.alias === undefined || group.alias === null) return;
    await records.commit([...indexes(group.alias, remove), groupRecord(records, { ...group, alias: null })], {
      groups: [group.id],
    });
  });
}

interface Move {
  readonly previous: Group | undefined;
  readonly before: GroupAlias | undefined;
  readonly target: Group;
  readonly alias: GroupAlias;
}

function changes(records: Records, { previous, before, target, alias }: Move): StorageOperation[] {
  const replaced = target.alias !== null && target.alias.id !== alias.id ? target.alias : undefined;
  return [
    ...(replaced === undefined ? [] : indexes(replaced, remove)),
    ...(before === undefined ? [] : indexes(before, remove)),
    ...(previous === undefined || previous.id === target.id
      ? []
      : [groupRecord(records, { ...previous, alias: null })]),
    ...indexes(alias, (key) => pointTo(key, target.id)),
    groupRecord(records, { ...target, alias }),
    pointTo(layout.groupName(target.name), target.id, target.name),
  ];
}

function indexes(alias: GroupAlias, operation: (key: string) => StorageOperation): StorageOperation[] {
  return [
    operation(layout.groupAlias(alias.id)),
    operation(layout.groupFactors(alias.mountAccessor, alias.name)),
  ];
}

function newGroup(records: Records): Group {
  const now = records.now();
  return {
    id: records.uuid(),
    name: `group_${records.uuid().slice(0, 8)}`,
    type: 'external',
    policies: [],
    metadata: null,
    alias: null,
    modifyIndex: 0,
    creationTime: now,
    lastUpdateTime: now,
  };
}
