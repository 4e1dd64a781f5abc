import type { StorageOperation } from '../logical/storage.ts';
import { checkMetadata, lowerPolicyNames, policyNames } from './checks.ts';
import { groupRecord } from './group-record.ts';
import { putEntity } from './entity-record.ts';
import { layout } from './layout.ts';
import type { Entity, Metadata, Refusal } from './model.ts';
import { pointTo, type Records, remove } from './records.ts';

/** What is to be set; what is not given stays. */
export interface EntityChange {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly policies?: readonly string[] | undefined;
  readonly metadata?: Metadata | undefined;
  readonly disabled?: boolean | undefined;
}

/** Makes an entity, or changes the one of that id or name. */
export function saveEntity(
  records: Records,
  change: EntityChange,
): Promise<Refusal | { readonly entity: Entity; readonly created: boolean }> {
  return records.exclusive(async () => {
    const byId = change.id ? await records.entity(change.id) : undefined;
    if (change.id && byId === undefined) return { refused: 'entity not found from id' };
    const byName = change.name ? await records.entityByName(change.name) : undefined;
    if (byId !== undefined && byName !== undefined && byName.id !== byId.id)
      return { refused: 'entity name is already in use' };
    const before = byId ?? byName;
    const policies = change.policies === undefined ? before?.policies : policyNames(change.policies);
    if (lowerPolicyNames(policies ?? []).includes('root')) return { refused: 'policies cannot contain root' };
    const problem = change.metadata === undefined ? undefined : checkMetadata(change.metadata);
    if (problem !== undefined) return { refused: `invalid entity metadata: ${problem}` };
    const now = records.now();
    const id = before?.id ?? records.uuid();
    const entity: Entity = {
      id,
      name: change.name || before?.name || `entity_${records.uuid().slice(0, 8)}`,
      disabled: change.disabled ?? before?.disabled ?? false,
      policies: policies ?? [],
      metadata: change.metadata ?? before?.metadata ?? null,
      aliases: before?.aliases ?? [],
      mergedEntityIds: before?.mergedEntityIds ?? [],
      creationTime: before?.creationTime ?? now,
      lastUpdateTime: now,
    };
    await records.commit(
      [
        ...(before === undefined ? [] : [remove(layout.entityName(before.name))]),
        putEntity(entity),
        pointTo(layout.entityName(entity.name), id, entity.name),
      ],
      { entities: [id] },
    );
    return { entity, created: before === undefined };
  });
}

/** Removes entities with their aliases and memberships; unknown ones are fine. */
export function deleteEntities(records: Records, ids: readonly string[]): Promise<void> {
  return records.exclusive(async () => {
    for (const id of new Set(ids)) {
      const entity = await records.entity(id);
      if (entity === undefined) continue;
      const { operations, groups } = await withoutEntity(records, entity);
      await records.commit(
        [...operations, ...entity.mergedEntityIds.map((merged) => remove(layout.merged(merged)))],
        { entities: [id], groups },
      );
    }
  });
}

/** The operations that remove an entity, its indexes and its memberships; its aliases' too unless they move. */
export async function withoutEntity(
  records: Records,
  entity: Entity,
): Promise<{ readonly operations: StorageOperation[]; readonly groups: string[] }> {
  const groups = await records.groupsOfEntity(entity.id);
  const operations: StorageOperation[] = [
    remove(layout.entity(entity.id)),
    remove(layout.entityName(entity.name)),
    ...entity.aliases.flatMap((alias) => [
      remove(layout.alias(alias.id)),
      remove(layout.factors(alias.mountAccessor, alias.name)),
    ]),
  ];
  for (const method of await records.names(layout.mfaSecret(entity.id, '')))
    operations.push(remove(layout.mfaSecret(entity.id, method)));
  for (const id of groups) {
    operations.push(remove(layout.member(id, entity.id)), remove(layout.memberOf(entity.id, id)));
    const group = await records.group(id);
    if (group !== undefined) operations.push(groupRecord(records, group));
  }
  return { operations, groups };
}
