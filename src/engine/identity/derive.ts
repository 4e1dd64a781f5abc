import { BoundedMap } from '../../lib/bounded-map.ts';
import { lowerPolicyNames } from './checks.ts';
import type { Entity, Group } from './model.ts';
import type { Records } from './records.ts';

const KEPT = 20_000;

/** What an entity adds to the tokens that carry it. */
export interface EntityPolicies {
  /** Of the entity, its groups and all of their parents; sorted, each once. */
  readonly identityPolicies: readonly string[];
  /** True also when the entity is gone: requests with such a token are refused. */
  readonly disabled: boolean;
}

/** What templates may speak of. The same object until something of it changes. */
export interface TemplateSubject {
  readonly entity: Entity;
  readonly groups: readonly Group[];
}

interface Derived {
  readonly policies: EntityPolicies;
  readonly subject: TemplateSubject | undefined;
}

/** Groups of an entity: those that list it, and those above these. */
export interface GroupsOf {
  readonly direct: readonly string[];
  readonly inherited: readonly string[];
}

export async function groupsOf(records: Records, entityId: string): Promise<GroupsOf> {
  const direct = await records.groupsOfEntity(entityId);
  const seen = new Set(direct);
  const inherited: string[] = [];
  const queue = [...direct];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    for (const parent of await records.groupsOfGroup(id)) {
      if (seen.has(parent)) continue;
      seen.add(parent);
      inherited.push(parent);
      queue.push(parent);
    }
  }
  return { direct, inherited: inherited.toSorted() };
}

/** Policies and template values by entity, kept until the entity or any group changes. */
export class Derivations {
  readonly #records: Records;
  #kept = new BoundedMap<string, Derived>(KEPT);

  constructor(records: Records) {
    this.#records = records;
    records.onChange(({ entities = [], groups = [] }) => {
      // Who is affected by a change of a group is not known without a walk: all are worked out again.
      if (groups.length > 0) this.#kept = new BoundedMap(KEPT);
      for (const id of entities) this.#kept.delete(id);
    });
  }

  async of(entityId: string): Promise<Derived> {
    const kept = this.#kept.get(entityId);
    if (kept !== undefined) return kept;
    const generation = this.#records.generation;
    const derived = await this.#derive(entityId);
    // Under a merged id nothing is kept: changes are told under the id that lives on.
    if (generation === this.#records.generation && derived.subject?.entity.id === entityId)
      this.#kept.set(entityId, derived);
    return derived;
  }

  async #derive(entityId: string): Promise<Derived> {
    const entity = await this.#records.survivor(entityId);
    if (entity === undefined)
      return { policies: { identityPolicies: [], disabled: true }, subject: undefined };
    const { direct, inherited } = await groupsOf(this.#records, entity.id);
    const groups: Group[] = [];
    for (const id of [...direct, ...inherited]) {
      const group = await this.#records.group(id);
      if (group !== undefined) groups.push(group);
    }
    const names = lowerPolicyNames([...entity.policies, ...groups.flatMap(({ policies }) => policies)]);
    return {
      policies: { identityPolicies: names.toSorted(), disabled: entity.disabled },
      subject: { entity, groups },
    };
  }
}
