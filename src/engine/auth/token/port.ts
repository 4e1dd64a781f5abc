import type { Renewal } from '../../logical/login.ts';
import type { LogicalRequest, NewToken, TokenEntry } from '../../logical/request.ts';

/** What this method needs of the token store and of the caller's policies. */
export interface TokenPort {
  lookup(text: string): Promise<TokenEntry | undefined>;
  byAccessor(accessor: string): Promise<TokenEntry | undefined>;
  accessors(): Promise<string[]>;
  create(request: NewToken): Promise<{ readonly text: string; readonly entry: TokenEntry } | undefined>;
  /** @returns undefined when the token is gone */
  renew(entry: TokenEntry, ttl: number): Promise<TokenEntry | undefined>;
  /** Asks the method that gave a token whether it may be renewed. */
  renewLogin(entry: TokenEntry, request: LogicalRequest): Promise<Renewal>;
  /** Finds or makes the entity of an alias of this method. */
  entityOf(alias: string): Promise<{ readonly id: string; readonly disabled: boolean }>;
  /** Policies that a token has by its entity. */
  identityPolicies(entry: TokenEntry): Promise<readonly string[]>;
  revoke(hash: string): Promise<void>;
  revokeOrphan(hash: string): Promise<void>;
  /** Begins to look for tokens and indexes that lead to nothing. @returns false when that is under way already */
  startTidy(): boolean;
  /** Seconds since the epoch. */
  now(): number;
  /** Whether there is a policy of a name. */
  hasPolicy(name: string): Promise<boolean>;
  /** Whether a token has sudo (or root) on a path. */
  hasSudo(token: TokenEntry, path: string): Promise<boolean>;
}
