import { BoundedMap } from '../../lib/bounded-map.ts';
import type { Clock } from '../../lib/clock.ts';
import { KeyedMutex } from '../../lib/keyed-mutex.ts';
import type { Random } from '../../lib/random.ts';
import { getJson, jsonPut, type Storage, type StorageOperation } from '../logical/storage.ts';
import { layout } from './layout.ts';
import type { Entity, Group } from './model.ts';

const ENTITIES_KEPT = 20_000;
const GROUPS_KEPT = 5_000;
const PAGE = 500;

interface Pointer {
  readonly id: string;
}

/** What a write changes, for those who keep something that was derived from it. */
export interface Touched {
  readonly entities?: readonly string[];
  readonly groups?: readonly string[];
}

export interface RecordsOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
}

/** Entities, groups and their indexes as they are stored, with what was read lately; one change at a time. */
export class Records {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #turns = new KeyedMutex();
  readonly #entities = new BoundedMap<string, Entity>(ENTITIES_KEPT);
  readonly #groups = new BoundedMap<string, Group>(GROUPS_KEPT);
  readonly #listeners: ((touched: Touched) => void)[] = [];
  #generation = 0;

  constructor({ storage, clock, random }: RecordsOptions) {
    this.#storage = storage;
    this.#clock = clock;
    this.#random = random;
  }

  now(): string {
    return new Date(this.#clock.now()).toISOString();
  }

  uuid(): string {
    return this.#random.uuid();
  }

  /** Counts writes: what was read while it stood still is of one state. */
  get generation(): number {
    return this.#generation;
  }

  /** Whoever reads in order to write does it in here. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.run('', work);
  }

  onChange(listener: (touched: Touched) => void): void {
    this.#listeners.push(listener);
  }

  async commit(operations: readonly StorageOperation[], touched: Touched): Promise<void> {
    if (operations.length > 0) await this.#storage.write(operations);
    // After the write: a reader that began before it does not keep what it read.
    this.#generation += 1;
    for (const id of touched.entities ?? []) this.#entities.delete(id);
    for (const id of touched.groups ?? []) this.#groups.delete(id);
    for (const listener of this.#listeners) listener(touched);
  }

  async entity(id: string): Promise<Entity | undefined> {
    return this.#entities.get(id) ?? this.#read(layout.entity(id), id, this.#entities);
  }

  /** The entity of an id, also of one that was merged into it. */
  async survivor(id: string): Promise<Entity | undefined> {
    let wanted = id;
    for (;;) {
      const entity = await this.entity(wanted);
      if (entity !== undefined) return entity;
      const into = await this.#pointer(layout.merged(wanted));
      if (into === undefined) return undefined;
      wanted = into;
    }
  }

  async entityByName(name: string): Promise<Entity | undefined> {
    return this.#entityAt(layout.entityName(name));
  }

  async entityByAlias(aliasId: string): Promise<Entity | undefined> {
    return this.#entityAt(layout.alias(aliasId));
  }

  async entityByFactors(accessor: string, name: string): Promise<Entity | undefined> {
    return this.#entityAt(layout.factors(accessor, name));
  }

  async group(id: string): Promise<Group | undefined> {
    return this.#groups.get(id) ?? this.#read(layout.group(id), id, this.#groups);
  }

  async groupByName(name: string): Promise<Group | undefined> {
    return this.#groupAt(layout.groupName(name));
  }

  async groupByAlias(aliasId: string): Promise<Group | undefined> {
    return this.#groupAt(layout.groupAlias(aliasId));
  }

  async groupByFactors(accessor: string, name: string): Promise<Group | undefined> {
    return this.#groupAt(layout.groupFactors(accessor, name));
  }

  groupsOfEntity(id: string): Promise<string[]> {
    return this.names(layout.memberOf(id, ''));
  }

  entitiesOfGroup(id: string): Promise<string[]> {
    return this.names(layout.member(id, ''));
  }

  groupsOfGroup(id: string): Promise<string[]> {
    return this.names(layout.childOf(id, ''));
  }

  childrenOfGroup(id: string): Promise<string[]> {
    return this.names(layout.child(id, ''));
  }

  /** A page at a time, so that a long list is not one step. */
  async names(prefix: string): Promise<string[]> {
    const found: string[] = [];
    for (;;) {
      const after = found.at(-1);
      const page = await this.#storage.list(prefix, {
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      });
      found.push(...page);
      if (page.length < PAGE) return found;
    }
  }

  /** Reads what index entries hold, a page at a time. */
  async pointers<T extends Pointer>(prefix: string): Promise<T[]> {
    const names = await this.names(prefix);
    const found: T[] = [];
    for (let start = 0; start < names.length; start += PAGE) {
      const page = names.slice(start, start + PAGE);
      for (const each of await Promise.all(page.map((name) => getJson<T>(this.#storage, prefix + name))))
        if (each !== undefined) found.push(each);
    }
    return found;
  }

  /** Another document of the store, as it is stored. */
  document<T>(key: string): Promise<T | undefined> {
    return getJson<T>(this.#storage, key);
  }

  /** Milliseconds since the epoch. */
  milliseconds(): number {
    return this.#clock.now();
  }

  bytes(length: number): Uint8Array {
    return this.#random.bytes(length);
  }

  async #read<T>(key: string, id: string, cache: BoundedMap<string, T>): Promise<T | undefined> {
    const generation = this.#generation;
    const read = await getJson<T>(this.#storage, key);
    if (read !== undefined && generation === this.#generation) cache.set(id, read);
    return read;
  }

  async #pointer(key: string): Promise<string | undefined> {
    return (await getJson<Pointer>(this.#storage, key))?.id;
  }

  async #entityAt(key: string): Promise<Entity | undefined> {
    const id = await this.#pointer(key);
    return id === undefined ? undefined : this.entity(id);
  }

  async #groupAt(key: string): Promise<Group | undefined> {
    const id = await this.#pointer(key);
    return id === undefined ? undefined : this.group(id);
  }
}

/** An index entry that points to an entity or a group. */
export function pointTo(key: string, id: string, name?: string): StorageOperation {
  return jsonPut(key, name === undefined ? { id } : { id, name });
}

export function remove(key: string): StorageOperation {
  return { type: 'delete', key };
}
