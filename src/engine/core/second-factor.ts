import type { Clock } from '../../lib/clock.ts';
import type { JsonObject } from '../../lib/json.ts';
import type { Random } from '../../lib/random.ts';
import type { LoginMfa, MfaRequirement } from '../identity/mfa/login-mfa.ts';
import { badRequest, type Response } from '../logical/response.ts';

/** A login that waits for its second factor. */
interface Waiting {
  readonly entityId: string;
  readonly requirements: readonly MfaRequirement[];
  readonly finish: () => Promise<Response>;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** Codes by the id or the name of their method. */
type Codes = Readonly<Record<string, string>>;

const WAIT_MS = 5 * 60_000;
const ADVICE =
  'A login request was issued that is subject to MFA validation. Please make sure to validate the login by sending another request to mfa/validate endpoint.';

/**
 * Logins whose first factor is proven and whose second is not yet (Vault: login MFA). They are in memory only: no
 * token exists before every enforcement is satisfied.
 */
export class SecondFactors {
  readonly #waiting = new Map<string, Waiting>();
  readonly #mfa: LoginMfa;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(mfa: LoginMfa, clock: Clock, random: Random) {
    this.#mfa = mfa;
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Finishes a login at once, or asks for what is missing and finishes it later.
   * @param header the values of `X-Vault-MFA`: `method:passcode`, to do it in one request
   */
  async demand(
    entityId: string,
    mount: { readonly accessor: string; readonly type: string },
    header: string | readonly string[] | undefined,
    { atOnce, later }: { readonly atOnce: () => Promise<Response>; readonly later: () => Promise<Response> },
  ): Promise<Response> {
    const requirements = await this.#mfa.requirements(entityId, mount);
    if (requirements.length === 0) return atOnce();
    const codes = codesIn(header);
    if (Object.keys(codes).length > 0) {
      const refusal = await this.#check(requirements, entityId, codes);
      return refusal ?? atOnce();
    }
    this.#forget();
    const id = this.#random.uuid();
    this.#waiting.set(id, { entityId, requirements, finish: later, until: this.#clock.now() + WAIT_MS });
    return { kind: 'second-factor', requestId: id, constraints: describe(requirements), warnings: [ADVICE] };
  }

  /** The second request: codes for a login that waits. */
  async validate(requestId: string, payload: JsonObject): Promise<Response> {
    this.#forget();
    const waiting = this.#waiting.get(requestId);
    if (waiting === undefined) return badRequest('invalid request ID');
    const codes: Record<string, string> = {};
    for (const [method, given] of Object.entries(payload)) {
      const [code] = [given].flat();
      if (typeof code === 'string') codes[method] = code.replace(/^passcode=/, '');
    }
    const refusal = await this.#check(waiting.requirements, waiting.entityId, codes);
    if (refusal !== undefined) return refusal;
    // Two requests with good codes at the same time get one token.
    if (!this.#waiting.delete(requestId)) return badRequest('invalid request ID');
    return waiting.finish();
  }

  async #check(
    requirements: readonly MfaRequirement[],
    entityId: string,
    codes: Codes,
  ): Promise<Response | undefined> {
    for (const { name, methods } of requirements) {
      const given = methods.find((method) => (codes[method.id] ?? codes[method.name]) !== undefined);
      const code = given === undefined ? undefined : (codes[given.id] ?? codes[given.name]);
      const refusal =
        given === undefined || code === undefined
          ? { refused: 'MFA credentials not supplied' }
          : await this.#mfa.validate(given, entityId, code);
      if (refusal !== undefined) {
        return {
          kind: 'refusal',
          status: 403,
          errors: [`failed to satisfy enforcement ${name}. error: ${refusal.refused}`],
        };
      }
    }
    return undefined;
  }

  #forget(): void {
    const now = this.#clock.now();
    for (const [id, { until }] of this.#waiting) if (until <= now) this.#waiting.delete(id);
  }
}

function codesIn(header: string | readonly string[] | undefined): Codes {
  const codes: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const value of [header ?? []].flat().flatMap((each) => each.split(','))) {
    const colon = value.indexOf(':');
    if (colon > 0)
      codes[value.slice(0, colon).trim()] = value
        .slice(colon + 1)
        .trim()
        .replace(/^passcode=/, '');
  }
  return codes;
}

function describe(requirements: readonly MfaRequirement[]): JsonObject {
  return Object.fromEntries(
    requirements.map(({ name, methods }) => [
      name,
      {
        any: methods.map((method) => ({
          type: 'totp',
          id: method.id,
          uses_passcode: true,
          name: method.name,
        })),
      },
    ]),
  );
}
