import { createPublicKey } from 'node:crypto';
import type { JWK } from 'jose';
import { httpCall, HttpFailure, jsonOf } from '../../../lib/http-call.ts';
import { isJsonObject, type JsonObject, member } from '../../../lib/json.ts';
import { JwtRefusal, verifyJwt } from '../../../lib/jwt/verify.ts';
import { isOidcFlow, type JwksPair, type JwtConfig } from './store.ts';

/** Why somebody else's service is of no use; names no secret. */
export class IssuerFailure {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

const WELL_KNOWN = '/.well-known/openid-configuration';

/** Keeps the issuer of the configuration at hand, and begins anew when that changes. */
export class Issuers {
  #current: { readonly of: string; readonly issuer: Issuer } | undefined;

  get(config: JwtConfig): Issuer {
    const of = JSON.stringify(config);
    if (this.#current?.of !== of) this.#current = { of, issuer: new Issuer(config) };
    return this.#current.issuer;
  }
}

/**
 * Who signs the tokens: its discovery document (OpenID Connect Discovery 1.0) and its keys, fetched when they are
 * needed and again when a token is signed by a key that is not known yet.
 */
export class Issuer {
  readonly #config: JwtConfig;
  #document: JsonObject | undefined;
  #keys: readonly JWK[] | undefined;
  #fetching: Promise<readonly JWK[] | IssuerFailure> | undefined;

  constructor(config: JwtConfig) {
    this.#config = config;
  }

  /** The discovery document; its issuer is the configured one. */
  async discover(): Promise<JsonObject | IssuerFailure> {
    if (this.#document !== undefined) return this.#document;
    const { discoveryUrl, discoveryCa } = this.#config;
    const document = await this.#fetch(discoveryUrl.replace(/\/$/, '') + WELL_KNOWN, discoveryCa);
    if (document instanceof IssuerFailure) return document;
    if (!isSameIssuer(member(document, 'issuer'), discoveryUrl))
      return new IssuerFailure('the issuer of the discovery document is another one');
    if (typeof document['jwks_uri'] !== 'string')
      return new IssuerFailure('the discovery document names no jwks_uri');
    this.#document = document;
    return document;
  }

  /** An address of the discovery document. */
  async endpoint(name: string): Promise<string | IssuerFailure> {
    const document = await this.discover();
    if (document instanceof IssuerFailure) return document;
    const url = member(document, name);
    return typeof url === 'string' && url !== '' ? url : new IssuerFailure(`the provider has no ${name}`);
  }

  /** Whether the keys can be had now; undefined is yes. */
  async check(): Promise<IssuerFailure | undefined> {
    if (this.#config.publicKeys.length > 0) return undefined;
    const found = isOidcFlow(this.#config) ? await this.discover() : await this.#refresh();
    return found instanceof IssuerFailure ? found : undefined;
  }

  /** The claims of a token that this issuer signed. */
  async verify(token: string, algorithms: readonly string[]): Promise<JsonObject | JwtRefusal> {
    const { publicKeys } = this.#config;
    if (publicKeys.length > 0) {
      return verifyJwt(
        token,
        publicKeys.map((pem) => createPublicKey(pem)),
        algorithms,
      );
    }
    if (this.#keys !== undefined) {
      const claims = await verifyJwt(token, { jwks: this.#keys }, algorithms);
      if (!(claims instanceof JwtRefusal)) return claims;
    }
    const jwks = await this.#refresh();
    if (jwks instanceof IssuerFailure)
      return new JwtRefusal(`error verifying token signature: fetching keys: ${jwks.message}`);
    return verifyJwt(token, { jwks }, algorithms);
  }

  /** Calls an endpoint of the provider. @param form sent as a POST when given */
  call(
    url: string,
    form?: URLSearchParams,
    headers: Record<string, string> = {},
  ): ReturnType<typeof httpCall> {
    const { discoveryCa, serverNames } = this.#config;
    return httpCall({
      url,
      ca: discoveryCa,
      serverNames,
      headers: { Accept: 'application/json', ...headers },
      ...(form === undefined
        ? {}
        : {
            method: 'POST',
            body: form.toString(),
            headers: {
              Accept: 'application/json',
              'Content-Type': 'application/x-www-form-urlencoded',
              ...headers,
            },
          }),
    });
  }

  // However many wait for the keys, they are fetched once.
  #refresh(): Promise<readonly JWK[] | IssuerFailure> {
    this.#fetching ??= this.#fetchKeys().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchKeys(): Promise<readonly JWK[] | IssuerFailure> {
    const found: JWK[] = [];
    const sources = await this.#sources();
    if (sources instanceof IssuerFailure) return sources;
    for (const { url, ca } of sources) {
      const document = await this.#fetch(url, ca);
      if (document instanceof IssuerFailure) return document;
      const { keys } = document;
      if (!Array.isArray(keys)) return new IssuerFailure('the JWKS has no keys');
      found.push(...keys.filter(isJsonObject).map((key) => key as unknown as JWK));
    }
    this.#keys = found;
    return found;
  }

  async #sources(): Promise<readonly JwksPair[] | IssuerFailure> {
    const { jwksUrl, jwksCa, jwksPairs, discoveryCa } = this.#config;
    if (jwksUrl !== '') return [{ url: jwksUrl, ca: jwksCa }];
    if (jwksPairs.length > 0) return jwksPairs;
    const url = await this.endpoint('jwks_uri');
    return url instanceof IssuerFailure ? url : [{ url, ca: discoveryCa }];
  }

  async #fetch(url: string, ca: string): Promise<JsonObject | IssuerFailure> {
    const answer = await httpCall({ url, ca, serverNames: this.#config.serverNames });
    if (answer instanceof HttpFailure) return new IssuerFailure(answer.message);
    if (answer.status !== 200) return new IssuerFailure(`status ${answer.status}`);
    return jsonOf(answer) ?? new IssuerFailure('the answer is no JSON object');
  }
}

function isSameIssuer(told: unknown, configured: string): boolean {
  return typeof told === 'string' && told.replace(/\/$/, '') === configured.replace(/\/$/, '');
}
