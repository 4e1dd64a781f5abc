import type { Clock } from '../../lib/clock.ts';
import { getJson, jsonPut, type Storage } from '../logical/storage.ts';
import { defaultPolicy } from '../policy/default-policy.ts';
import { WRAPPING_POLICY } from './wrapping.ts';
import { type Acl, compileAcl, parsePolicy, type Policy } from '../policy/policy.ts';

/** A policy as it is stored. */
export interface StoredPolicy {
  readonly raw: string;
  readonly version: number;
  /** RFC 3339. */
  readonly modified: string;
}

const ACL_CACHE = 2_000;
// What a wrapping token may do with itself.
const WRAPPING_RULES = `path "cubbyhole/response" { capabilities = ["create", "read"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }`;

/** ACL policies by name, and the compiled rules of each set of names that tokens carry. */
export class PolicyStore {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #acls = new Map<string, Acl>();

  private constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** Opens the store; writes the default policy the first time. */
  static async open(storage: Storage, clock: Clock): Promise<PolicyStore> {
    const store = new PolicyStore(storage, clock);
    if ((await store.get('default')) === undefined) await store.put('default', defaultPolicy);
    return store;
  }

  get(name: string): Promise<StoredPolicy | undefined> {
    return getJson<StoredPolicy>(this.#storage, name);
  }

  /** The text must have been parsed before. */
  async put(name: string, raw: string): Promise<void> {
    const before = await this.get(name);
    const stored: StoredPolicy = {
      raw,
      version: (before?.version ?? 0) + 1,
      modified: new Date(this.#clock.now()).toISOString(),
    };
    await this.#storage.write([jsonPut(name, stored)]);
    this.#acls.clear();
  }

  async delete(name: string): Promise<void> {
    await this.#storage.delete(name);
    this.#acls.clear();
  }

  async names(): Promise<string[]> {
    return [...(await this.#storage.list('')), 'root'];
  }

  /** The rules of a set of policies; names that do not exist grant nothing. */
  async acl(names: readonly string[]): Promise<Acl> {
    const key = names.join('\n');
    const cached = this.#acls.get(key);
    if (cached !== undefined) return cached;
    const policies: Policy[] = [];
    for (const name of names) {
      if (name === WRAPPING_POLICY) policies.push(parsePolicy(WRAPPING_RULES));
      const stored = await this.get(name);
      if (stored !== undefined) policies.push(parsePolicy(stored.raw));
    }
    const acl = compileAcl(policies);
    if (this.#acls.size >= ACL_CACHE) this.#acls.clear();
    this.#acls.set(key, acl);
    return acl;
  }
}
