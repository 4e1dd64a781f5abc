import { BoundedMap } from '../../../lib/bounded-map.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Random } from '../../../lib/random.ts';
import type { Login } from '../../logical/login.ts';

/** A login under way in a browser. */
export interface OidcRequest {
  readonly state: string;
  readonly nonce: string;
  readonly roleName: string;
  readonly redirectUri: string;
  /** Between this vault and its client; empty when not asked for. */
  readonly clientNonce: string;
  /** PKCE (RFC 7636); a secret. */
  readonly codeVerifier: string;
  /** Of the device flow; a secret. */
  readonly deviceCode: string;
  readonly requesterAddress: string;
  /** What a form brought, until the client fetches the result. */
  readonly code: string;
  readonly idToken: string;
  /** The result, until the client fetches it. */
  readonly login: Login | undefined;
}

const LIFETIME_MS = 10 * 60_000;
const LIMIT = 20_000;

/** Logins under way, by their states; each is forgotten after ten minutes. In memory. */
export class OidcRequests {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #requests = new BoundedMap<string, { readonly request: OidcRequest; readonly until: number }>(
    LIMIT,
  );

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  create(
    given: Pick<OidcRequest, 'roleName' | 'redirectUri' | 'clientNonce' | 'deviceCode' | 'requesterAddress'>,
  ): OidcRequest {
    const request: OidcRequest = {
      ...given,
      state: `st_${this.#random.base62(20)}`,
      nonce: `n_${this.#random.base62(20)}`,
      codeVerifier: this.#random.base62(43),
      code: '',
      idToken: '',
      login: undefined,
    };
    this.#requests.set(request.state, { request, until: this.#clock.now() + LIFETIME_MS });
    return request;
  }

  get(state: string): OidcRequest | undefined {
    const found = this.#requests.get(state);
    if (found === undefined || found.until > this.#clock.now()) return found?.request;
    this.#requests.delete(state);
    return undefined;
  }

  /** Takes it away: whoever has it is the only one. */
  take(state: string): OidcRequest | undefined {
    const request = this.get(state);
    this.#requests.delete(state);
    return request;
  }

  put(request: OidcRequest): void {
    this.#requests.set(request.state, { request, until: this.#clock.now() + LIFETIME_MS });
  }
}
