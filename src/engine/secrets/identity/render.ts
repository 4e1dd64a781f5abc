import type { JsonObject } from '../../../lib/json.ts';
import { groupsOf } from '../../identity/derive.ts';
import type { Alias, Entity, Group, GroupAlias, Metadata } from '../../identity/model.ts';
import type { Records } from '../../identity/records.ts';

/** The mount of an accessor, while there is one. */
export type Mounts = (
  accessor: string,
) => { readonly type: string; readonly path: string; readonly local: boolean } | undefined;

/** There is one namespace. */
const NAMESPACE = 'root';

export async function renderEntity(records: Records, mounts: Mounts, entity: Entity): Promise<JsonObject> {
  const { direct, inherited } = await groupsOf(records, entity.id);
  return {
    aliases: entity.aliases.map((alias) => renderAlias(mounts, alias)),
    creation_time: entity.creationTime,
    direct_group_ids: [...direct],
    disabled: entity.disabled,
    group_ids: [...direct, ...inherited],
    id: entity.id,
    inherited_group_ids: [...inherited],
    last_update_time: entity.lastUpdateTime,
    merged_entity_ids: orNull(entity.mergedEntityIds),
    metadata: map(entity.metadata),
    name: entity.name,
    namespace_id: NAMESPACE,
    policies: [...entity.policies],
  };
}

/** An alias of an entity, inside of it. */
export function renderAlias(mounts: Mounts, alias: Alias): JsonObject {
  return {
    canonical_id: alias.canonicalId,
    creation_time: alias.creationTime,
    custom_metadata: map(alias.customMetadata),
    id: alias.id,
    last_update_time: alias.lastUpdateTime,
    local: alias.local,
    merged_from_canonical_ids: orNull(alias.mergedFromCanonicalIds),
    metadata: map(alias.metadata),
    mount_accessor: alias.mountAccessor,
    ...renderMount(mounts, alias.mountAccessor),
    name: alias.name,
  };
}

/** An alias by itself. */
export function renderSingleAlias(mounts: Mounts, alias: Alias | GroupAlias): JsonObject {
  const whole: Alias =
    'metadata' in alias
      ? alias
      : { ...alias, metadata: null, customMetadata: null, mergedFromCanonicalIds: [], local: false };
  return { ...renderAlias(mounts, whole), namespace_id: NAMESPACE };
}

/** An alias in a list of them. */
export function renderAliasInfo(mounts: Mounts, alias: Alias | GroupAlias): JsonObject {
  const { canonical_id, custom_metadata, local, metadata, mount_accessor, name } = renderSingleAlias(
    mounts,
    alias,
  );
  return {
    canonical_id: canonical_id ?? null,
    custom_metadata: custom_metadata ?? null,
    local: local ?? false,
    metadata: metadata ?? null,
    mount_accessor: mount_accessor ?? null,
    ...renderMount(mounts, alias.mountAccessor),
    name: name ?? null,
  };
}

/** An alias in a list of what it belongs to. */
export function renderAliasBrief(mounts: Mounts, alias: Alias | GroupAlias): JsonObject {
  return {
    id: alias.id,
    mount_accessor: alias.mountAccessor,
    ...renderMount(mounts, alias.mountAccessor),
    name: alias.name,
  };
}

export async function renderGroup(records: Records, mounts: Mounts, group: Group): Promise<JsonObject> {
  const { alias } = group;
  return {
    alias:
      alias === null
        ? {}
        : {
            canonical_id: alias.canonicalId,
            creation_time: alias.creationTime,
            id: alias.id,
            last_update_time: alias.lastUpdateTime,
            merged_from_canonical_ids: null,
            metadata: null,
            mount_accessor: alias.mountAccessor,
            ...renderMount(mounts, alias.mountAccessor),
            name: alias.name,
          },
    creation_time: group.creationTime,
    id: group.id,
    last_update_time: group.lastUpdateTime,
    member_entity_ids: orNull(await records.entitiesOfGroup(group.id)),
    member_group_ids: orNull(await records.childrenOfGroup(group.id)),
    metadata: map(group.metadata),
    modify_index: group.modifyIndex,
    name: group.name,
    namespace_id: NAMESPACE,
    parent_group_ids: orNull(await records.groupsOfGroup(group.id)),
    policies: [...group.policies],
    type: group.type,
  };
}

function renderMount(mounts: Mounts, accessor: string): JsonObject {
  const mount = mounts(accessor);
  return mount === undefined ? {} : { mount_path: mount.path, mount_type: mount.type };
}

function orNull(ids: readonly string[]): string[] | null {
  return ids.length === 0 ? null : [...ids];
}

function map(metadata: Metadata | null): JsonObject | null {
  return metadata === null ? null : { ...metadata };
}
