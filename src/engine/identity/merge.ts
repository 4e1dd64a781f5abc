import { jsonPut, type StorageOperation } from '../logical/storage.ts';
import { withoutEntity } from './entities.ts';
import { putEntity } from './entity-record.ts';
import { groupRecord } from './group-record.ts';
import { layout } from './layout.ts';
import type { Alias, Entity, Refusal } from './model.ts';
import { pointTo, type Records } from './records.ts';

export interface Merge {
  readonly to: string;
  readonly from: readonly string[];
  /** Of two aliases at one mount, the one that stays. */
  readonly keep: readonly string[];
  /** Where both sides have a secret of an MFA method, the one of `to` stays. */
  readonly force: boolean;
}

/** Two aliases at one mount, of which one would have to go. */
export interface Clash {
  readonly entity: Entity;
  readonly alias: Alias;
}

export type MergeOutcome = (Refusal & { readonly clashes?: readonly Clash[] }) | undefined;

/** Moves the aliases and memberships of entities into one; tokens of the merged ones are then that one's. */
export function mergeEntities(records: Records, { to, from, keep, force }: Merge): Promise<MergeOutcome> {
  return records.exclusive(async () => {
    const target = await records.entity(to);
    if (target === undefined) return { refused: 'entity id to merge to is invalid' };
    if (from.length > 1 && keep.length > 1) {
      return {
        refused:
          'aliases conflicts cannot be resolved with multiple from entity ids - merge one entity at a time',
      };
    }
    const sources: Entity[] = [];
    for (const id of new Set(from)) {
      if (id === to) return { refused: 'to_entity_id should not be present in from_entity_ids' };
      const source = await records.entity(id);
      if (source === undefined) return { refused: 'entity id to merge from is invalid' };
      sources.push(source);
    }
    const refused = keep.length === 0 ? findClashes(target, sources) : unresolved(target, sources, keep);
    if (refused !== undefined) return refused;

    const operations: StorageOperation[] = [];
    const kept = new Set(await records.names(layout.mfaSecret(to, '')));
    const moved: StorageOperation[] = [];
    for (const { id } of sources) {
      for (const method of await records.names(layout.mfaSecret(id, ''))) {
        if (kept.has(method) && !force) {
          return {
            refused: `conflicting MFA config ID ${JSON.stringify(method)} in entity ID ${JSON.stringify(id)}`,
          };
        }
        const secret = await records.document<object>(layout.mfaSecret(id, method));
        if (!kept.has(method) && secret !== undefined)
          moved.push(jsonPut(layout.mfaSecret(to, method), secret));
        kept.add(method);
      }
    }
    const aliases = new Map(target.aliases.map((alias) => [alias.mountAccessor, alias]));
    const dropped: Alias[] = [];
    const groups = new Set<string>();
    for (const source of sources) {
      const removal = await withoutEntity(records, source);
      operations.push(...removal.operations);
      for (const id of removal.groups) groups.add(id);
      for (const alias of source.aliases) {
        const rival = aliases.get(alias.mountAccessor);
        if (rival !== undefined && keep.includes(rival.id)) continue;
        if (rival !== undefined) dropped.push(rival);
        aliases.set(alias.mountAccessor, {
          ...alias,
          canonicalId: target.id,
          mergedFromCanonicalIds: [...alias.mergedFromCanonicalIds, source.id],
        });
      }
      for (const id of [source.id, ...source.mergedEntityIds])
        operations.push(pointTo(layout.merged(id), target.id));
    }
    for (const alias of dropped)
      operations.push(
        { type: 'delete', key: layout.alias(alias.id) },
        { type: 'delete', key: layout.factors(alias.mountAccessor, alias.name) },
      );
    for (const alias of aliases.values())
      operations.push(
        pointTo(layout.alias(alias.id), target.id),
        pointTo(layout.factors(alias.mountAccessor, alias.name), target.id),
      );
    for (const id of groups) {
      operations.push(
        pointTo(layout.member(id, target.id), target.id),
        pointTo(layout.memberOf(target.id, id), id),
      );
      const group = await records.group(id);
      if (group !== undefined) operations.push(groupRecord(records, group));
    }
    const ids = sources.flatMap(({ id, mergedEntityIds }) => [id, ...mergedEntityIds]);
    operations.push(
      ...moved,
      putEntity({
        ...target,
        aliases: [...aliases.values()],
        mergedEntityIds: [...target.mergedEntityIds, ...ids],
        lastUpdateTime: records.now(),
      }),
    );
    await records.commit(operations, { entities: [to, ...ids], groups: [...groups] });
    return undefined;
  });
}

function findClashes(target: Entity, sources: readonly Entity[]): MergeOutcome {
  const owners = new Map<string, string>();
  const clashes: Clash[] = [];
  const lines: string[] = [];
  for (const source of sources) {
    for (const alias of source.aliases) {
      const owner = owners.get(alias.mountAccessor);
      if (owner !== undefined) {
        return {
          refused: `mount accessor ${alias.mountAccessor} found in multiple fromEntities, merge should be done with one fromEntity at a time`,
        };
      }
      owners.set(alias.mountAccessor, source.id);
      const rival = target.aliases.find((each) => each.mountAccessor === alias.mountAccessor);
      if (rival === undefined) continue;
      clashes.push({ entity: target, alias: rival }, { entity: source, alias });
      lines.push(
        `mountAccessor: ${alias.mountAccessor}, toEntity ID: ${target.id}, fromEntity ID: ${source.id}, conflicting toEntity alias ID: ${rival.id}, conflicting fromEntity alias ID: ${alias.id}`,
      );
    }
  }
  if (clashes.length === 0) return undefined;
  const all = [
    'toEntity and at least one fromEntity have aliases with the same mount accessor, repeat the merge request specifying exactly one fromEntity, clashes: ',
    ...lines,
  ];
  return {
    refused: `${all.length} errors occurred:\n${all.map((line) => `\t* ${line}\n`).join('')}\n`,
    clashes,
  };
}

// Each pair of rivals must have been decided.
function unresolved(target: Entity, sources: readonly Entity[], keep: readonly string[]): MergeOutcome {
  for (const source of sources) {
    for (const alias of source.aliases) {
      const rival = target.aliases.find((each) => each.mountAccessor === alias.mountAccessor);
      if (rival !== undefined && !keep.includes(rival.id) && !keep.includes(alias.id)) {
        return {
          refused: `conflicting mount accessors in following alias IDs and neither were present in conflicting_alias_ids_to_keep: ${alias.id}, ${rival.id}`,
        };
      }
    }
  }
  return undefined;
}
