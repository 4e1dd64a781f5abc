import type { TokenEntry } from '../../logical/request.ts';
import { type Backend, PathTable } from '../../logical/logical.ts';
import { createPaths } from './path-create.ts';
import { lookupPaths } from './path-lookup.ts';
import { renewPaths } from './path-renew.ts';
import { revokePaths } from './path-revoke.ts';

/** What this method needs of the token store and of the caller's policies. */
export interface TokenPort {
  lookup(text: string): Promise<TokenEntry | undefined>;
  byAccessor(accessor: string): Promise<TokenEntry | undefined>;
  accessors(): Promise<string[]>;
  create(request: TokenRequest): Promise<{ readonly text: string; readonly entry: TokenEntry } | undefined>;
  renew(entry: TokenEntry, ttl: number): Promise<TokenEntry>;
  revoke(hash: string): Promise<void>;
  revokeOrphan(hash: string): Promise<void>;
  sweep(): Promise<number>;
  /** Seconds since the epoch. */
  now(): number;
  /** Whether a token has sudo (or root) on a path. */
  hasSudo(token: TokenEntry, path: string): Promise<boolean>;
}

export interface TokenRequest {
  readonly parent: string;
  readonly policies: readonly string[];
  readonly path: string;
  readonly displayName: string;
  readonly meta: Readonly<Record<string, string>> | null;
  readonly numUses: number;
  readonly ttl: number;
  readonly explicitMaxTtl: number;
  readonly period: number;
  readonly renewable: boolean;
  readonly orphan: boolean;
  readonly entityId: string;
  readonly id?: string;
}

/** The token auth method: tokens make, look up, renew and revoke tokens. */
export function createTokenAuth(tokens: TokenPort): Backend {
  return {
    type: 'token',
    paths: new PathTable([
      ...createPaths(tokens),
      ...lookupPaths(tokens),
      ...renewPaths(tokens),
      ...revokePaths(tokens),
    ]),
  };
}
