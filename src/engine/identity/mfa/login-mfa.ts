import { createSecretKey } from 'node:crypto';
import { decodeBase32, encodeBase32 } from '../../../lib/totp/base32.ts';
import { isValidCode } from '../../../lib/totp/code.ts';
import { formatOtpAuth } from '../../../lib/totp/otpauth.ts';
import { jsonPut } from '../../logical/storage.ts';
import { groupsOf } from '../derive.ts';
import { layout } from '../layout.ts';
import type { Refusal } from '../model.ts';
import { type Records, remove } from '../records.ts';
import type { Enforcement, TotpMethod, TotpSecret } from './model.ts';

/** Of one rule, one of the methods is to be satisfied. */
export interface MfaRequirement {
  readonly name: string;
  readonly methods: readonly TotpMethod[];
}

/**
 * Second factors of logins: methods, whose logins need them, and each entity's secrets.
 *
 * I1  A secret leaves once, in the answer that made it.
 * I2  A code that was found good is refused from then on; after too many wrong ones all are, for a while.
 */
export class LoginMfa {
  readonly #records: Records;
  /** Entity, method and code → when it may be forgotten, in seconds. */
  readonly #used = new Map<string, number>();
  /** Entity and method → wrong codes, and since when. */
  readonly #wrong = new Map<string, { readonly count: number; readonly until: number }>();

  constructor(records: Records) {
    this.#records = records;
  }

  method(id: string): Promise<TotpMethod | undefined> {
    return this.#records.document(layout.mfaMethod(id));
  }

  methods(): Promise<TotpMethod[]> {
    return this.#records.pointers(layout.mfaMethod(''));
  }

  /**
   * Makes or changes a method, while nobody else does.
   * @param id of an existing method; undefined for a new one
   * @param build what becomes of it, or why nothing does
   */
  changeMethod(
    id: string | undefined,
    build: (before: TotpMethod | undefined) => TotpMethod | string,
  ): Promise<TotpMethod | Refusal> {
    return this.#records.exclusive(async () => {
      const before = id === undefined ? undefined : await this.method(id);
      if (id !== undefined && before === undefined)
        return { refused: `configuration for method ID ${JSON.stringify(id)} does not exist` };
      const method = build(before);
      if (typeof method === 'string') return { refused: method };
      if (method.name !== '' && method.name !== before?.name) {
        const others = await this.methods();
        if (others.some((each) => each.name === method.name && each.id !== method.id))
          return { refused: `an MFA method with name ${JSON.stringify(method.name)} already exists` };
      }
      await this.#records.commit([jsonPut(layout.mfaMethod(method.id), method)], {});
      return method;
    });
  }

  /** Removes a method unless a rule needs it. */
  deleteMethod(id: string): Promise<Refusal | undefined> {
    return this.#records.exclusive(async () => {
      const user = (await this.enforcements()).find(({ methodIds }) => methodIds.includes(id));
      if (user !== undefined)
        return { refused: 'method still referenced by one or more MFA login enforcement configurations' };
      await this.#records.commit([remove(layout.mfaMethod(id))], {});
      return undefined;
    });
  }

  enforcement(name: string): Promise<Enforcement | undefined> {
    return this.#records.document(layout.mfaEnforcement(name));
  }

  enforcements(): Promise<Enforcement[]> {
    return this.#records.pointers(layout.mfaEnforcement(''));
  }

  saveEnforcement(enforcement: Enforcement): Promise<Refusal | undefined> {
    return this.#records.exclusive(async () => {
      for (const id of enforcement.methodIds)
        if ((await this.method(id)) === undefined)
          return { refused: "one of the provided method ids doesn't exist" };
      await this.#records.commit([jsonPut(layout.mfaEnforcement(enforcement.name), enforcement)], {});
      return undefined;
    });
  }

  deleteEnforcement(name: string): Promise<void> {
    return this.#records.exclusive(() => this.#records.commit([remove(layout.mfaEnforcement(name))], {}));
  }

  /** For logins: the rules that apply to an entity at a mount; each must be satisfied by one of its methods. */
  async requirements(
    entityId: string,
    mount: { readonly accessor: string; readonly type: string },
  ): Promise<MfaRequirement[]> {
    const rules = await this.enforcements();
    if (rules.length === 0) return [];
    const entity = await this.#records.survivor(entityId);
    const { direct, inherited } =
      entity === undefined ? { direct: [], inherited: [] } : await groupsOf(this.#records, entity.id);
    const groups = new Set([...direct, ...inherited]);
    const found: MfaRequirement[] = [];
    for (const rule of rules) {
      const applies =
        rule.accessors.includes(mount.accessor) ||
        rule.types.includes(mount.type) ||
        (entity !== undefined && rule.entityIds.includes(entity.id)) ||
        rule.groupIds.some((id) => groups.has(id));
      if (!applies) continue;
      const methods = await Promise.all(rule.methodIds.map((id) => this.method(id)));
      found.push({ name: rule.name, methods: methods.filter((method) => method !== undefined) });
    }
    return found;
  }

  /** Makes an entity's secret. @returns the URL for the authenticator, or undefined when there is a secret already */
  generate(method: TotpMethod, entityId: string): Promise<string | undefined> {
    return this.#records.exclusive(async () => {
      const key = layout.mfaSecret(entityId, method.id);
      if ((await this.#records.document(key)) !== undefined) return undefined;
      const bytes = this.#records.bytes(method.keySize);
      const { algorithm, digits, period, skew } = method;
      const secret: TotpSecret = { key: encodeBase32(bytes), algorithm, digits, period, skew };
      bytes.fill(0);
      await this.#records.commit([jsonPut(key, secret)], {});
      return formatOtpAuth(secret.key, method.issuer, entityId, method);
    });
  }

  /** Forgets an entity's secret. */
  destroy(methodId: string, entityId: string): Promise<void> {
    return this.#records.exclusive(() =>
      this.#records.commit([remove(layout.mfaSecret(entityId, methodId))], {}),
    );
  }

  /** For logins: checks a code, which is good once. */
  async validate(method: TotpMethod, entityId: string, code: string): Promise<Refusal | undefined> {
    const entity = await this.#records.survivor(entityId);
    const secret = await this.#records.document<TotpSecret>(layout.mfaSecret(entity?.id ?? '', method.id));
    if (entity === undefined || secret === undefined)
      return { refused: 'MFA secret for method name is not present in entity' };
    const bytes = decodeBase32(secret.key);
    if (typeof bytes === 'number') throw new TypeError('a stored secret is not base32');
    const key = createSecretKey(bytes);
    bytes.fill(0);
    // From here on nothing waits: two attempts at the same time are counted one after the other.
    const now = Math.floor(this.#records.milliseconds() / 1000);
    const who = `${entity.id}/${method.id}`;
    this.#forget(now);
    const wrong = this.#wrong.get(who);
    if (wrong !== undefined && wrong.count >= method.maxValidationAttempts)
      return {
        refused: `maximum TOTP validation attempts ${wrong.count} exceeded the allowed attempts ${method.maxValidationAttempts}. Please try again in ${wrong.until - now} seconds`,
      };
    const given = code.trim();
    if (!isValidCode(key, secret, secret.skew, given, now)) {
      const until = wrong?.until ?? now + secret.period;
      this.#wrong.set(who, { count: (wrong?.count ?? 0) + 1, until });
      return { refused: 'failed to validate TOTP passcode' };
    }
    if (this.#used.has(`${who}/${given}`))
      return { refused: 'code already used; new code is available in the next period' };
    this.#used.set(`${who}/${given}`, now + secret.period * (2 + secret.skew));
    this.#wrong.delete(who);
    return undefined;
  }

  #forget(now: number): void {
    for (const [key, until] of this.#used) if (until <= now) this.#used.delete(key);
    for (const [key, { until }] of this.#wrong) if (until <= now) this.#wrong.delete(key);
  }
}
