import { getJson, jsonPut, type Storage } from '../logical/storage.ts';
import { covers } from './quota.ts';

/**
 * Lease count quotas (Vault: `sys/quotas/lease-count`): so many leases at a time below a path.
 *
 * I1  A place is taken before the engine is asked for a secret, and given back when no lease came of it.
 * I2  What is there is counted once, by the index of leases; from then on additions and removals are followed.
 */
export interface LeaseCountQuota {
  readonly name: string;
  /** Mount, or a path below one; empty for everything. */
  readonly path: string;
  readonly maxLeases: number;
}

/** The leases that there are, as far as counting goes. */
export interface CountedLeases {
  /** Ids of all leases below a path. */
  below(prefix: string): AsyncIterable<string>;
}

export class LeaseCountQuotas {
  readonly #storage: Storage;
  #rules: readonly LeaseCountQuota[];
  readonly #counts = new Map<string, number>();

  private constructor(storage: Storage, rules: readonly LeaseCountQuota[]) {
    this.#storage = storage;
    this.#rules = rules;
  }

  static async open(storage: Storage): Promise<LeaseCountQuotas> {
    const rules: LeaseCountQuota[] = [];
    for (const name of await storage.list('lease-count/')) {
      const rule = await getJson<LeaseCountQuota>(storage, `lease-count/${name}`);
      if (rule !== undefined) rules.push(rule);
    }
    return new LeaseCountQuotas(storage, rules);
  }

  names(): string[] {
    return this.#rules.map(({ name }) => name).toSorted();
  }

  get(name: string): LeaseCountQuota | undefined {
    return this.#rules.find((rule) => rule.name === name);
  }

  /** How many leases a quota counts; undefined until somebody asked for one. */
  counted(name: string): number | undefined {
    return this.#counts.get(name);
  }

  async put(rule: LeaseCountQuota): Promise<void> {
    await this.#storage.write([jsonPut(`lease-count/${rule.name}`, rule)]);
    this.#rules = [...this.#rules.filter(({ name }) => name !== rule.name), rule];
    this.#counts.delete(rule.name);
  }

  async delete(name: string): Promise<void> {
    await this.#storage.delete(`lease-count/${name}`);
    this.#rules = this.#rules.filter((rule) => rule.name !== name);
    this.#counts.delete(name);
  }

  /**
   * Takes a place for a lease that a request may lead to.
   * @returns how to give it back; undefined when there is none left
   */
  async take(path: string, leases: CountedLeases): Promise<(() => void) | undefined> {
    if (this.#rules.length === 0) return () => undefined;
    const rules = this.#rules.filter((rule) => rule.path === '' || covers(rule.path, path));
    for (const rule of rules) await this.#count(rule, leases);
    // From here on nothing waits: of two requests for the last place one gets it.
    if (rules.some((rule) => (this.#counts.get(rule.name) ?? 0) >= rule.maxLeases)) return undefined;
    for (const { name } of rules) this.#add(name, 1);
    return () => {
      for (const { name } of rules) this.#add(name, -1);
    };
  }

  /** A lease is gone. */
  removed(id: string): void {
    for (const { name, path } of this.#rules)
      if (path === '' || covers(path, id.slice(0, id.lastIndexOf('/')))) this.#add(name, -1);
  }

  async #count({ name, path }: LeaseCountQuota, leases: CountedLeases): Promise<void> {
    if (this.#counts.has(name)) return;
    let count = 0;
    const folder = path === '' || path.endsWith('/') ? path : `${path.replace(/\*$/, '')}/`;
    for await (const _id of leases.below(folder)) count += 1;
    if (!this.#counts.has(name)) this.#counts.set(name, count);
  }

  #add(name: string, by: number): void {
    const count = this.#counts.get(name);
    if (count !== undefined) this.#counts.set(name, Math.max(0, count + by));
  }
}
