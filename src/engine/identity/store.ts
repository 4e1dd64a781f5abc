import { Derivations, type EntityPolicies, type TemplateSubject } from './derive.ts';
import { type LoginAlias, resolveAlias, setExternalGroups } from './login.ts';
import { LoginMfa } from './mfa/login-mfa.ts';
import type { Entity } from './model.ts';
import { Records, type RecordsOptions } from './records.ts';

/**
 * Who is behind the tokens: entities with an alias for each auth mount, groups of them, and what both grant.
 *
 * I1  One alias for a name at a mount, one alias for a mount in an entity; names of entities and of groups are
 *     theirs alone, without regard to case.
 * I2  An entity or group and all indexes that lead to it change in one atomic write; changes come one at a time.
 * I3  Groups form no circle. Entities of an external group are set by logins only.
 * I4  What is derived (policies, template values) is never older than the last change that was acknowledged.
 * I5  Nothing is loaded before it is asked for.
 */
export class IdentityStore {
  readonly records: Records;
  /** Second factors of logins. */
  readonly mfa: LoginMfa;
  readonly #derivations: Derivations;

  constructor(options: RecordsOptions) {
    this.records = new Records(options);
    this.#derivations = new Derivations(this.records);
    this.mfa = new LoginMfa(this.records);
  }

  /**
   * For logins: the entity of an alias; both are made the first time.
   * @returns also a disabled entity: the login is then to be refused
   */
  resolveAlias(login: LoginAlias): Promise<Entity> {
    return resolveAlias(this.records, login);
  }

  /**
   * For logins and renewals: the entity is in those external groups whose alias at this mount has one of the names,
   * and in no other external group of the mount.
   */
  setExternalGroups(entityId: string, mountAccessor: string, names: readonly string[]): Promise<void> {
    return setExternalGroups(this.records, entityId, mountAccessor, names);
  }

  /** For each request with an entity: what it may beyond its token; whether it is to be refused. */
  async policiesOf(entityId: string): Promise<EntityPolicies> {
    return (await this.#derivations.of(entityId)).policies;
  }

  /** @returns what `{{identity.…}}` stands for; the same object until something of it changes */
  async templateValues(entityId: string): Promise<TemplateSubject | undefined> {
    return (await this.#derivations.of(entityId)).subject;
  }

  /** An entity by its id or that of one merged into it. */
  entity(id: string): Promise<Entity | undefined> {
    return this.records.survivor(id);
  }
}
