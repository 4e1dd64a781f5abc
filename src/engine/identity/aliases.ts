import type { StorageOperation } from '../logical/storage.ts';
import { checkCustomMetadata } from './checks.ts';
import { putEntity, sameMetadata } from './entity-record.ts';
import { layout } from './layout.ts';
import type { Alias, Entity, Metadata, Refusal } from './model.ts';
import { pointTo, type Records, remove } from './records.ts';

/** What is to be set; what is not given stays. */
export interface AliasChange {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly mountAccessor?: string | undefined;
  readonly canonicalId?: string | undefined;
  readonly customMetadata?: Metadata | undefined;
  /** The mount of an accessor. */
  readonly mount: (accessor: string) => { readonly local: boolean } | undefined;
}

export type AliasOutcome = Refusal | { readonly alias: Alias; readonly changed: boolean };

/** Makes an alias (and an entity, when none is named), or changes the one of that id, or of that mount and name. */
export function saveAlias(records: Records, change: AliasChange): Promise<AliasOutcome> {
  return records.exclusive(async () => {
    const { id, name, mountAccessor, customMetadata } = change;
    const problem = customMetadata === undefined ? undefined : checkCustomMetadata(customMetadata);
    if (problem !== undefined) return { refused: problem };
    if (id) {
      const entity = await records.entityByAlias(id);
      const alias = entity?.aliases.find((each) => each.id === id);
      if (entity === undefined || alias === undefined) return { refused: 'invalid alias ID provided' };
      return update(records, change, entity, alias);
    }
    if (!mountAccessor || !name) return { refused: "'id' or 'mount_accessor' and 'name' must be provided" };
    if (change.mount(mountAccessor) === undefined) return invalidMount(mountAccessor);
    const entity = await records.entityByFactors(mountAccessor, name);
    const alias = entity === undefined ? undefined : aliasAt(entity, mountAccessor);
    if (entity !== undefined && alias !== undefined) return update(records, change, entity, alias);
    return create(records, change, mountAccessor, name);
  });
}

/** Removes an alias; the entity stays. */
export function deleteAlias(records: Records, id: string): Promise<void> {
  return records.exclusive(async () => {
    const entity = await records.entityByAlias(id);
    const alias = entity?.aliases.find((each) => each.id === id);
    if (entity === undefined || alias === undefined) return;
    const next = { ...entity, aliases: entity.aliases.filter((each) => each !== alias) };
    await records.commit([...indexes(alias, remove), putEntity(next)], { entities: [entity.id] });
  });
}

async function create(
  records: Records,
  change: AliasChange,
  mountAccessor: string,
  name: string,
): Promise<AliasOutcome> {
  const known = change.canonicalId ? await records.survivor(change.canonicalId) : undefined;
  if (change.canonicalId && known === undefined) return { refused: 'invalid canonical ID' };
  if (known !== undefined && aliasAt(known, mountAccessor) !== undefined)
    return { refused: 'Alias already exists for requested entity and mount accessor' };
  const now = records.now();
  const entity: Entity = known ?? {
    id: records.uuid(),
    name: `entity_${records.uuid().slice(0, 8)}`,
    disabled: false,
    policies: [],
    metadata: null,
    aliases: [],
    mergedEntityIds: [],
    creationTime: now,
    lastUpdateTime: now,
  };
  const alias: Alias = {
    id: records.uuid(),
    canonicalId: entity.id,
    mountAccessor,
    name,
    metadata: null,
    customMetadata: change.customMetadata ?? {},
    mergedFromCanonicalIds: [],
    local: change.mount(mountAccessor)?.local ?? false,
    creationTime: now,
    lastUpdateTime: now,
  };
  await records.commit(
    [
      putEntity({ ...entity, aliases: [...entity.aliases, alias] }),
      pointTo(layout.entityName(entity.name), entity.id, entity.name),
      ...indexes(alias, (key) => pointTo(key, entity.id)),
    ],
    { entities: [entity.id] },
  );
  return { alias, changed: true };
}

async function update(
  records: Records,
  change: AliasChange,
  current: Entity,
  alias: Alias,
): Promise<AliasOutcome> {
  const mountAccessor = change.mountAccessor || alias.mountAccessor;
  const name = change.name || alias.name;
  const customMetadata = change.customMetadata ?? alias.customMetadata;
  const canonicalId = change.canonicalId || alias.canonicalId;
  if (change.mount(mountAccessor) === undefined) return invalidMount(mountAccessor);
  if (
    mountAccessor === alias.mountAccessor &&
    name === alias.name &&
    canonicalId === alias.canonicalId &&
    sameMetadata(customMetadata, alias.customMetadata)
  )
    return { alias, changed: false };
  const taken = aliasAt(current, mountAccessor);
  if (taken !== undefined && taken.id !== alias.id) {
    return {
      refused: "Alias cannot be updated as the entity already has an alias for the given 'mount_accessor' ",
    };
  }
  const same = await records.entityByFactors(mountAccessor, name);
  if (same !== undefined && aliasAt(same, mountAccessor)?.id !== alias.id)
    return { refused: 'alias with combination of mount accessor and name already exists' };
  const target = canonicalId === alias.canonicalId ? current : await records.survivor(canonicalId);
  if (target === undefined) return { refused: 'invalid canonical ID' };
  if (target.id !== current.id && aliasAt(target, mountAccessor) !== undefined)
    return { refused: 'Alias cannot be updated as the given entity already has an alias for this mount ' };
  const next: Alias = {
    ...alias,
    mountAccessor,
    name,
    customMetadata,
    canonicalId: target.id,
    lastUpdateTime: records.now(),
  };
  const others = current.aliases.filter((each) => each.id !== alias.id);
  const operations: StorageOperation[] = [
    ...indexes(alias, remove),
    ...indexes(next, (key) => pointTo(key, target.id)),
  ];
  if (target.id === current.id) operations.push(putEntity({ ...current, aliases: [...others, next] }));
  else
    operations.push(
      putEntity({ ...current, aliases: others }),
      putEntity({ ...target, aliases: [...target.aliases, next] }),
    );
  await records.commit(operations, { entities: [current.id, target.id] });
  return { alias: next, changed: true };
}

function indexes(alias: Alias, operation: (key: string) => StorageOperation): StorageOperation[] {
  return [operation(layout.alias(alias.id)), operation(layout.factors(alias.mountAccessor, alias.name))];
}

function aliasAt(entity: Entity, mountAccessor: string): Alias | undefined {
  return entity.aliases.find((alias) => alias.mountAccessor === mountAccessor);
}

function invalidMount(accessor: string): Refusal {
  return { refused: `invalid mount accessor ${JSON.stringify(accessor)}` };
}
