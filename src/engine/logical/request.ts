import type { JsonObject } from '../../lib/json.ts';
import type { Response } from './response.ts';

export type Operation = 'create' | 'read' | 'update' | 'patch' | 'delete' | 'list';

/** A service token as it is stored, or what a batch token holds; times are seconds since the epoch. */
export interface TokenEntry {
  /** Salted hash of the token: its name in storage and in the cubbyhole. */
  readonly hash: string;
  /** Empty for batch tokens. */
  readonly accessor: string;
  readonly parent: string;
  readonly policies: readonly string[];
  readonly path: string;
  readonly displayName: string;
  readonly meta: Readonly<Record<string, string>> | null;
  /** 0 is without limit; otherwise the uses left, -1 when they are used up. */
  readonly numUses: number;
  readonly creationTime: number;
  /** Seconds granted at creation; 0 is for ever. */
  readonly creationTtl: number;
  /** Absolute; 0 is never. */
  readonly expireTime: number;
  readonly lastRenewal: number;
  readonly explicitMaxTtl: number;
  readonly period: number;
  readonly renewable: boolean;
  readonly orphan: boolean;
  readonly entityId: string;
  readonly type: 'service' | 'batch';
  /** Blocks of addresses it may be used from; missing for all. */
  readonly boundCidrs?: readonly string[];
  /** How a login gave it; missing for tokens made of tokens. */
  readonly login?: TokenLogin;
}

/** What a renewal of a token that a login gave has to respect. */
export interface TokenLogin {
  /** Of the mount that gave it. */
  readonly accessor: string;
  /** Seconds; 0 is the mount's. */
  readonly ttl: number;
  readonly maxTtl: number;
  readonly renewal: JsonObject;
}

/** What a token is made of; times in seconds. */
export interface NewToken {
  readonly parent: string;
  readonly policies: readonly string[];
  readonly path: string;
  readonly displayName: string;
  readonly meta: Readonly<Record<string, string>> | null;
  readonly numUses: number;
  /** Seconds; 0 is for ever. */
  readonly ttl: number;
  readonly explicitMaxTtl: number;
  readonly period: number;
  readonly renewable: boolean;
  readonly orphan: boolean;
  readonly entityId: string;
  readonly boundCidrs?: readonly string[];
  readonly login?: TokenLogin;
  /** Missing for service. */
  readonly type?: 'service' | 'batch';
  /** A text chosen by a root user instead of a random one. */
  readonly id?: string;
}

/** Lease limits of the mount a request goes to, in seconds. */
export interface LeaseTtl {
  readonly default: number;
  readonly max: number;
}

/** A request as a plug-in sees it. */
export interface LogicalRequest {
  readonly id: string;
  readonly operation: Operation;
  /** Below the mount. */
  readonly path: string;
  readonly mountPoint: string;
  readonly body: JsonObject;
  readonly query: URLSearchParams | undefined;
  /** Undefined on unauthenticated paths without a token. */
  readonly token: TokenEntry | undefined;
  /** The caller's token as it was sent: for the endpoints that return it, and nothing else. */
  readonly tokenText: string | undefined;
  /** Seconds for which the answer is to be wrapped; 0 for not. */
  readonly wrapTtl: number;
  readonly leaseTtl: LeaseTtl;
  /**
   * Asked before anything is made that will have a lease. @returns 429 when a quota is used up. Who does not ask has what it
   * made taken back.
   */
  readonly leasePlace?: () => Promise<Response | undefined>;
  readonly remoteAddress: string;
  /** Common name of a client certificate that was verified against the listener's client CA. */
  readonly clientName: string | undefined;
  /** DER of the certificates that the client presented, its own first, verified by nobody; undefined without TLS. */
  readonly clientCertificates?: (() => readonly Uint8Array[]) | undefined;
  /** Of Basic authentication: for the one endpoint of another protocol that takes it. */
  readonly credentials?: { readonly user: string; readonly secret: string } | undefined;
  readonly signal: AbortSignal;
}
