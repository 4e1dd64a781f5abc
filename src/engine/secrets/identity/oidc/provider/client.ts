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
