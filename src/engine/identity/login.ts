import type { StorageOperation } from '../logical/storage.ts';
import { putEntity, sameMetadata } from './entity-record.ts';
import { layout } from './layout.ts';
import type { Alias, Entity, Metadata } from './model.ts';
import { pointTo, type Records, remove } from './records.ts';

/** Who an auth method says has logged in. */
export interface LoginAlias {
  readonly mountAccessor: string;
  readonly mountType: string;
  readonly mountPath: string;
  readonly name: string;
  /** What the method tells of the alias; replaces what it told before. */
  readonly metadata?: Metadata | null;
  /** Only for a new alias: afterwards it is the operators'. */
  readonly customMetadata?: Metadata | null;
  /** The mount is local. */
  readonly local?: boolean;
}

/** Finds the entity of an alias, makes both the first time, and keeps the alias's metadata up to date. */
export async function resolveAlias(records: Records, login: LoginAlias): Promise<Entity> {
  const known = await records.entityByFactors(login.mountAccessor, login.name);
  if (known !== undefined && isCurrent(known, login)) return known;
  return records.exclusive(async () => {
    const entity = await records.entityByFactors(login.mountAccessor, login.name);
    if (entity === undefined) return create(records, login);
    if (isCurrent(entity, login)) return entity;
    const now = records.now();
    const aliases = entity.aliases.map((alias) =>
      isAlias(alias, login) ? { ...alias, metadata: login.metadata ?? null, lastUpdateTime: now } : alias,
    );
    const next: Entity = { ...entity, aliases };
    await records.commit([putEntity(next)], { entities: [next.id] });
    return next;
  });
}

async function create(records: Records, login: LoginAlias): Promise<Entity> {
  const id = records.uuid();
  const now = records.now();
  const alias: Alias = {
    id: records.uuid(),
    canonicalId: id,
    mountAccessor: login.mountAccessor,
    name: login.name,
    metadata: login.metadata ?? null,
    customMetadata: login.customMetadata ?? null,
    mergedFromCanonicalIds: [],
    local: login.local ?? false,
    creationTime: now,
    lastUpdateTime: now,
  };
  const entity: Entity = {
    id,
    name: `entity_${records.uuid().slice(0, 8)}`,
    disabled: false,
    policies: [],
    metadata: null,
    aliases: [alias],
    mergedEntityIds: [],
    creationTime: now,
    lastUpdateTime: now,
  };
  await records.commit(
    [
      putEntity(entity),
      pointTo(layout.entityName(entity.name), id, entity.name),
      pointTo(layout.alias(alias.id), id),
      pointTo(layout.factors(alias.mountAccessor, alias.name), id),
    ],
    { entities: [id] },
  );
  return entity;
}

/** Sets which external groups an entity belongs to by a mount's names for them; others' groups are left alone. */
export async function setExternalGroups(
  records: Records,
  entityId: string,
  mountAccessor: string,
  names: readonly string[],
): Promise<void> {
  const differs = await membershipChanges(records, entityId, mountAccessor, names);
  if (differs.length === 0) return;
  await records.exclusive(async () => {
    const entity = await records.survivor(entityId);
    if (entity === undefined) return;
    const operations = await membershipChanges(records, entity.id, mountAccessor, names);
    // Not a change of the groups: only this entity's policies are worked out again.
    if (operations.length > 0) await records.commit(operations, { entities: [entity.id] });
  });
}

async function membershipChanges(
  records: Records,
  entityId: string,
  mountAccessor: string,
  names: readonly string[],
): Promise<StorageOperation[]> {
  const wanted = new Set<string>();
  for (const name of names) {
    const group = await records.groupByFactors(mountAccessor, name);
    if (group?.type === 'external') wanted.add(group.id);
  }
  const operations: StorageOperation[] = [];
  for (const id of await records.groupsOfEntity(entityId)) {
    if (wanted.delete(id)) continue;
    const group = await records.group(id);
    if (group?.type === 'external' && group.alias?.mountAccessor === mountAccessor)
      operations.push(remove(layout.member(id, entityId)), remove(layout.memberOf(entityId, id)));
  }
  for (const id of wanted)
    operations.push(
      pointTo(layout.member(id, entityId), entityId),
      pointTo(layout.memberOf(entityId, id), id),
    );
  return operations;
}

function isAlias(alias: Alias, login: LoginAlias): boolean {
  return alias.mountAccessor === login.mountAccessor && alias.name.toLowerCase() === login.name.toLowerCase();
}

function isCurrent(entity: Entity, login: LoginAlias): boolean {
  const alias = entity.aliases.find((each) => isAlias(each, login));
  return alias !== undefined && sameMetadata(alias.metadata, login.metadata ?? null);
}
