import { BoundedMap } from '../../lib/bounded-map.ts';
import type { Clock } from '../../lib/clock.ts';
import { getJson, jsonPut, keysBelow, type Storage } from '../logical/storage.ts';
import { defaultPolicy } from '../policy/default-policy.ts';
import { WRAPPING_POLICY } from './wrapping.ts';
import {
  type Acl,
  compileAcl,
  hasTemplates,
  parsePolicy,
  type Policy,
  type TemplateSubject,
} from '../policy/policy.ts';

/** A policy as it is stored. */
export interface StoredPolicy {
  readonly raw: string;
  readonly version: number;
  /** RFC 3339. */
  readonly modified: string;
  /** Values in templates of its paths may hold slashes, or wildcards. */
  readonly allowSlashes?: boolean;
  readonly allowWildcards?: boolean;
}

/** Who a token is, for policies with templates. */
export interface TemplateSource {
  /** @returns the same object until something of it changes */
  templateValues(entityId: string): Promise<TemplateSubject | undefined>;
}

interface CompiledSet {
  readonly acl: Acl;
  /** When some of the policies have templates. */
  readonly policies: readonly Policy[] | undefined;
}

interface CompiledForEntity {
  readonly acl: Acl;
  readonly subject: TemplateSubject;
  readonly policies: readonly Policy[];
}

const ACL_CACHE = 2_000;
// What a wrapping token may do with itself.
const WRAPPING_RULES = `path "cubbyhole/response" { capabilities = ["create", "read"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }`;

/** ACL policies by name, and the compiled rules of each set of names that tokens carry. */
export class PolicyStore {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #templates: TemplateSource;
  #acls = new BoundedMap<string, CompiledSet>(ACL_CACHE);
  #entityAcls = new BoundedMap<string, CompiledForEntity>(ACL_CACHE);
  #changes = 0;

  private constructor(storage: Storage, clock: Clock, templates: TemplateSource) {
    this.#storage = storage;
    this.#clock = clock;
    this.#templates = templates;
  }

  /** Opens the store; writes the default policy the first time. */
  static async open(storage: Storage, clock: Clock, templates: TemplateSource): Promise<PolicyStore> {
    const store = new PolicyStore(storage, clock, templates);
    if ((await store.get('default')) === undefined) await store.put('default', defaultPolicy);
    return store;
  }

  get(name: string): Promise<StoredPolicy | undefined> {
    return getJson<StoredPolicy>(this.#storage, name);
  }

  /**
   * The text must have been parsed before.
   * @param templates what values in templates of its paths may hold
   */
  async put(
    name: string,
    raw: string,
    templates: Pick<StoredPolicy, 'allowSlashes' | 'allowWildcards'> = {},
  ): Promise<void> {
    const before = await this.get(name);
    const stored: StoredPolicy = {
      ...templates,
      raw,
      version: (before?.version ?? 0) + 1,
      modified: new Date(this.#clock.now()).toISOString(),
    };
    await this.#storage.write([jsonPut(name, stored)]);
    this.#forget();
  }

  async delete(name: string): Promise<void> {
    await this.#storage.delete(name);
    this.#forget();
  }

  async names(): Promise<string[]> {
    const names: string[] = [];
    for await (const name of keysBelow(this.#storage, '')) names.push(name);
    return [...names, 'root'];
  }

  /**
   * The rules of a set of policies; names that do not exist grant nothing.
   * @param entityId whom templates are about; rules with templates grant nothing without
   */
  async acl(names: readonly string[], entityId = ''): Promise<Acl> {
    const key = names.join('\n');
    const { acl, policies } = this.#acls.get(key) ?? (await this.#compile(key, names));
    return policies === undefined || entityId === '' ? acl : this.#forEntity(key, policies, entityId, acl);
  }

  async #compile(key: string, names: readonly string[]): Promise<CompiledSet> {
    const changes = this.#changes;
    const policies: Policy[] = [];
    for (const name of names) {
      if (name === WRAPPING_POLICY) policies.push(parsePolicy(WRAPPING_RULES));
      const stored = await this.get(name);
      if (stored !== undefined) policies.push(templateLimits(parsePolicy(stored.raw), stored));
    }
    const set: CompiledSet = {
      acl: compileAcl(policies),
      policies: hasTemplates(policies) ? policies : undefined,
    };
    // What was read while a policy changed is good for this request only.
    if (changes === this.#changes) this.#acls.set(key, set);
    return set;
  }

  async #forEntity(key: string, policies: readonly Policy[], entityId: string, without: Acl): Promise<Acl> {
    const subject = await this.#templates.templateValues(entityId);
    if (subject === undefined) return without;
    const name = `${entityId}\n${key}`;
    const kept = this.#entityAcls.get(name);
    if (kept?.subject === subject && kept.policies === policies) return kept.acl;
    const acl = compileAcl(policies, subject);
    this.#entityAcls.set(name, { acl, subject, policies });
    return acl;
  }

  #forget(): void {
    this.#changes += 1;
    this.#acls = new BoundedMap(ACL_CACHE);
    this.#entityAcls = new BoundedMap(ACL_CACHE);
  }
}

function templateLimits(policy: Policy, { allowSlashes, allowWildcards }: StoredPolicy): Policy {
  if (allowSlashes !== true && allowWildcards !== true) return policy;
  return { ...policy, templates: { slashes: allowSlashes === true, wildcards: allowWildcards === true } };
}
