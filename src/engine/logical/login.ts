import type { JsonObject } from '../../lib/json.ts';

/** What an auth method grants to whoever proved who he is; times in seconds, 0 is the mount's. */
export interface Login {
  readonly policies: readonly string[];
  readonly noDefaultPolicy: boolean;
  /** Without the mount's name, which is put before it. */
  readonly displayName: string;
  readonly meta: Readonly<Record<string, string>> | null;
  /** Who it is in the identity store; undefined for none. */
  readonly alias: { readonly name: string; readonly metadata?: Readonly<Record<string, string>> } | undefined;
  /** Names of external groups that the method vouches for. */
  readonly groups: readonly string[];
  readonly ttl: number;
  readonly maxTtl: number;
  readonly explicitMaxTtl: number;
  readonly period: number;
  readonly numUses: number;
  readonly tokenType: string;
  readonly boundCidrs: readonly string[];
  /** What the method needs to judge a renewal; kept with the token, never shown. */
  readonly renewal: JsonObject;
}

/** What a method says of the renewal of a token: why not, or undefined for yes. */
export type Renewal = { readonly refused: string } | undefined;
