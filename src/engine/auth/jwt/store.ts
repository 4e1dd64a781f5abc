import type { JsonObject } from '../../../lib/json.ts';
import { getJson, jsonPut, type Storage } from '../../logical/storage.ts';
import type { TokenParameters } from '../token-fields.ts';

/** Whose tokens are believed. One of discovery, JWKS and keys is set. */
export interface JwtConfig {
  readonly discoveryUrl: string;
  /** PEM; empty for the system's. */
  readonly discoveryCa: string;
  readonly clientId: string;
  /** A secret. */
  readonly clientSecret: string;
  readonly responseMode: string;
  readonly responseTypes: readonly string[];
  readonly jwksUrl: string;
  readonly jwksCa: string;
  readonly jwksPairs: readonly JwksPair[];
  readonly publicKeys: readonly string[];
  readonly algorithms: readonly string[];
  readonly boundIssuer: string;
  readonly defaultRole: string;
  readonly providerConfig: JsonObject;
  readonly serverNames: readonly string[];
  readonly namespaceInState: boolean;
}

export interface JwksPair {
  readonly url: string;
  readonly ca: string;
}

/** Times in seconds. */
export interface JwtRole {
  readonly type: 'jwt' | 'oidc';
  readonly expirationLeeway: number;
  readonly notBeforeLeeway: number;
  readonly clockSkewLeeway: number;
  readonly boundAudiences: readonly string[] | null;
  readonly boundSubject: string;
  readonly boundClaimsType: 'string' | 'glob';
  readonly boundClaims: JsonObject | null;
  readonly claimMappings: Readonly<Record<string, string>> | null;
  readonly oauth2Metadata: readonly string[] | null;
  readonly userClaim: string;
  readonly userClaimIsPointer: boolean;
  readonly groupsClaim: string;
  readonly scopes: readonly string[] | null;
  readonly redirectUris: readonly string[] | null;
  readonly callbackMode: 'client' | 'direct' | 'device';
  readonly disableConfirmation: boolean;
  /** 0 is the provider's. */
  readonly pollInterval: number;
  readonly verboseLogging: boolean;
  readonly maxAge: number;
  readonly token: TokenParameters;
}

/** A role whose program decides what a token is worth. Times in seconds. */
export interface CelRole {
  readonly program: {
    readonly variables: readonly { readonly name: string; readonly expression: string }[] | null;
    readonly expression: string;
  };
  readonly message: string;
  readonly expirationLeeway: number;
  readonly notBeforeLeeway: number;
  readonly clockSkewLeeway: number;
  readonly boundAudiences: readonly string[];
}

export class JwtStore {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  config(): Promise<JwtConfig | undefined> {
    return getJson<JwtConfig>(this.#storage, 'config');
  }

  putConfig(config: JwtConfig): Promise<void> {
    return this.#storage.write([jsonPut('config', config)]);
  }

  role(name: string): Promise<JwtRole | undefined> {
    return getJson<JwtRole>(this.#storage, `role/${name.toLowerCase()}`);
  }

  roleNames(): Promise<string[]> {
    return this.#storage.list('role/');
  }

  putRole(name: string, role: JwtRole): Promise<void> {
    return this.#storage.write([jsonPut(`role/${name.toLowerCase()}`, role)]);
  }

  deleteRole(name: string): Promise<void> {
    return this.#storage.delete(`role/${name.toLowerCase()}`);
  }

  celRole(name: string): Promise<CelRole | undefined> {
    return getJson<CelRole>(this.#storage, `cel/role/${name.toLowerCase()}`);
  }

  celRoleNames(): Promise<string[]> {
    return this.#storage.list('cel/role/');
  }

  putCelRole(name: string, role: CelRole): Promise<void> {
    return this.#storage.write([jsonPut(`cel/role/${name.toLowerCase()}`, role)]);
  }

  deleteCelRole(name: string): Promise<void> {
    return this.#storage.delete(`cel/role/${name.toLowerCase()}`);
  }
}

/** Whether browsers log in by this configuration. */
export function isOidcFlow(config: JwtConfig): boolean {
  return config.discoveryUrl !== '' && config.clientId !== '' && config.clientSecret !== '';
}

/** Without any, the type is `code`. */
export function hasResponseType({ responseTypes }: JwtConfig, type: string): boolean {
  return responseTypes.length === 0 ? type === 'code' : responseTypes.includes(type);
}
