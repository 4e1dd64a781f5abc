/** A relying party of the provider. */
export interface Client {
  readonly key: string;
  readonly redirectUris: readonly string[];
  readonly assignments: readonly string[];
  /** Seconds. */
  readonly idTokenTtl: number;
  readonly accessTokenTtl: number;
  readonly type: 'confidential' | 'public';
  readonly authorizationCode: boolean;
  readonly clientCredentials: boolean;
  readonly clientId: string;
  /** Empty for a public client. */
  readonly clientSecret: string;
}

/** An issuer of its own, for some clients. */
export interface Provider {
  /** Scheme, host and port; empty for the engine's own. */
  readonly issuer: string;
  readonly allowedClientIds: readonly string[];
  readonly scopesSupported: readonly string[];
}

/** Claims that a client may ask for by a name. */
export interface Scope {
  readonly template: string;
  readonly description: string;
}

/** Who may sign in at a client. */
export interface Assignment {
  readonly entityIds: readonly string[];
  readonly groupIds: readonly string[];
}

/** What an authorization code stands for. */
export interface Code {
  readonly provider: string;
  readonly clientId: string;
  readonly entityId: string;
  readonly redirectUri: string;
  readonly nonce: string;
  readonly scopes: readonly string[];
  readonly challenge: { readonly value: string; readonly method: 'plain' | 'S256' } | undefined;
  /** When the caller's token was made, when that mattered; seconds. */
  readonly authTime: number | undefined;
  readonly expires: number;
}

export const ALLOW_ALL = 'allow_all';
export const DEFAULT_PROVIDER = 'default';
export const OPENID = 'openid';
