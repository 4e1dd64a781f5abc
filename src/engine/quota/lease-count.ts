import type { Clock } from '../../lib/clock.ts';
import { getJson, jsonPut, type Storage } from '../logical/storage.ts';
import { covers } from './quota.ts';

/**
 * Lease count quotas (Vault: `sys/quotas/lease-count`): so many leases at a time below a path, those of tokens included.
 *
 * I1  A place is taken before a lease is made, and given back when none came of it.
 * I2  What is there is counted once, by the indexes of leases; from then on additions and removals are followed. A quota
 *     that is full is counted again after a minute, so that it never stays full by a mistake.
 * I3  Of the quotas that cover a path the most specific one counts, and no other.
 */
export interface LeaseCountQuota {
  readonly name: string;
  /** Mount, or a path below one; empty for everything. */
  readonly path: string;
  readonly maxLeases: number;
}

/** The leases that there are, as far as counting goes. */
export interface CountedLeases {
  /** Ids of the leases of requests below a path that ends in a slash, or is empty. */
  below(prefix: string): AsyncIterable<string>;
  /** Children of a path that ends in a slash; folders end in a slash. */
  children(prefix: string): Promise<string[]>;
}

/** Room for one lease. */
export interface LeasePlace {
  /** The lease is there, under this id. */
  keep(id: string): void;
  giveBack(): void;
}

interface Count {
  readonly ids: Set<string>;
  pending: number;
  readonly since: number;
}

const RECOUNT_MS = 60_000;
const unlimited: LeasePlace = { keep: () => undefined, giveBack: () => undefined };

export class LeaseCountQuotas {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #leases: CountedLeases;
  #rules: readonly LeaseCountQuota[];
  readonly #counts = new Map<string, Promise<Count>>();

  private constructor(
    storage: Storage,
    clock: Clock,
    leases: CountedLeases,
    rules: readonly LeaseCountQuota[],
  ) {
    this.#storage = storage;
    this.#clock = clock;
    this.#leases = leases;
    this.#rules = rules;
  }

  static async open(storage: Storage, clock: Clock, leases: CountedLeases): Promise<LeaseCountQuotas> {
    const rules: LeaseCountQuota[] = [];
    for (const name of await storage.list('lease-count/')) {
      const rule = await getJson<LeaseCountQuota>(storage, `lease-count/${name}`);
      if (rule !== undefined) rules.push(rule);
    }
    return new LeaseCountQuotas(storage, clock, leases, rules);
  }

  names(): string[] {
    return this.#rules.map(({ name }) => name).toSorted();
  }

  get(name: string): LeaseCountQuota | undefined {
    return this.#rules.find((rule) => rule.name === name);
  }

  /** How many leases a quota counts. */
  async counted(rule: LeaseCountQuota): Promise<number> {
    const { ids, pending } = await this.#count(rule);
    return ids.size + pending;
  }

  async put(rule: LeaseCountQuota): Promise<void> {
    await this.#storage.write([jsonPut(`lease-count/${rule.name}`, rule)]);
    this.#rules = [...this.#rules.filter(({ name }) => name !== rule.name), rule];
    this.#counts.clear();
  }

  async delete(name: string): Promise<void> {
    await this.#storage.delete(`lease-count/${name}`);
    this.#rules = this.#rules.filter((rule) => rule.name !== name);
    this.#counts.clear();
  }

  /**
   * Takes a place for a lease that a request leads to.
   * @param exempt counted, but never refused: a root token
   * @returns undefined when there is none left
   */
  async take(path: string, exempt: boolean): Promise<LeasePlace | undefined> {
    const rule = this.#ruleFor(path);
    if (rule === undefined) return unlimited;
    let count = await this.#count(rule);
    if (isFull(count, rule) && this.#clock.monotonic() - count.since > RECOUNT_MS) {
      this.#counts.delete(rule.name);
      count = await this.#count(rule);
    }
    // From here on nothing waits: of two requests for the last place one gets it.
    if (isFull(count, rule) && !exempt) return undefined;
    count.pending += 1;
    let open = true;
    const close = (id?: string): void => {
      if (!open) return;
      open = false;
      count.pending -= 1;
      if (id !== undefined) count.ids.add(id);
    };
    return { keep: close, giveBack: () => close() };
  }

  /** A lease is gone. */
  removed(id: string): void {
    for (const count of this.#counts.values()) void count.then(({ ids }) => ids.delete(id));
  }

  #ruleFor(path: string): LeaseCountQuota | undefined {
    let best: LeaseCountQuota | undefined;
    for (const rule of this.#rules)
      if ((rule.path === '' || covers(rule.path, path)) && rule.path.length >= (best?.path.length ?? 0))
        best = rule;
    return best;
  }

  #count(rule: LeaseCountQuota): Promise<Count> {
    let count = this.#counts.get(rule.name);
    if (count === undefined) {
      count = this.#look(rule);
      this.#counts.set(rule.name, count);
      // What failed is tried again by whoever comes next.
      count.catch(() => this.#counts.delete(rule.name));
    }
    return count;
  }

  async #look(rule: LeaseCountQuota): Promise<Count> {
    const since = this.#clock.monotonic();
    const ids = new Set<string>();
    for await (const id of this.#covered(rule)) ids.add(id);
    for (const other of this.#rules) {
      if (other.path.length <= rule.path.length || !(rule.path === '' || covers(rule.path, other.path)))
        continue;
      for await (const id of this.#covered(other)) ids.delete(id);
    }
    return { ids, pending: 0, since };
  }

  async *#covered({ path }: LeaseCountQuota): AsyncGenerator<string> {
    if (path === '' || path.endsWith('/')) yield* this.#leases.below(path);
    else if (path.endsWith('*')) {
      const begin = path.slice(0, -1);
      const folder = begin.slice(0, begin.lastIndexOf('/') + 1);
      for (const name of await this.#leases.children(folder))
        if (name.endsWith('/') && `${folder}${name}`.startsWith(begin))
          yield* this.#leases.below(folder + name);
    } else yield* this.#leases.below(`${path}/`);
  }
}

function isFull({ ids, pending }: Count, { maxLeases }: LeaseCountQuota): boolean {
  return ids.size + pending >= maxLeases;
}
