import type { IncomingHttpHeaders } from 'node:http';
import type { JsonObject } from '../../lib/json.ts';
import type { AuditEntry } from '../audit/entry.ts';
import type { Access, Call, Path, PathValues } from '../logical/logical.ts';
import type { LogicalRequest, Operation, TokenEntry } from '../logical/request.ts';
import type { Response } from '../logical/response.ts';
import type { Mounted } from '../mount/mount.ts';
import type { RequestPlace } from './lease-place.ts';
import type { Vault } from './vault.ts';

/** A request as it comes off the wire: parsed, not yet believed. */
export interface CoreRequest {
  readonly id: string;
  /** Without the leading /v1/; decoded; a list's ends in a slash. */
  readonly path: string;
  /** `update` for every write: whether it creates is found out here. */
  readonly operation: Exclude<Operation, 'create'>;
  readonly body: JsonObject;
  readonly query: URLSearchParams | undefined;
  readonly token: string;
  /** Seconds for which the answer is to be wrapped; 0 for not. */
  readonly wrapTtl: number;
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly clientName: string | undefined;
  readonly clientCertificates?: LogicalRequest['clientCertificates'];
  readonly credentials?: LogicalRequest['credentials'];
  /** Families of quorum endpoints that need no token where the request came in. */
  readonly open: readonly Access[];
  readonly signal: AbortSignal;
}

/** What the stages find out, one after the other. */
export interface Context {
  readonly request: CoreRequest;
  readonly vault: Vault;
  token: TokenEntry | undefined;
  mounted: Mounted | undefined;
  row: { readonly path: Path; readonly values: PathValues } | undefined;
  logical: LogicalRequest | undefined;
  /** The request to the row, its fields read. */
  call: Call | undefined;
  response: Response | undefined;
  /** Hash of a token whose last use this request is. */
  usedUp: string | undefined;
  trail: Trail | undefined;
  place: RequestPlace | undefined;
  quotaHeaders: Readonly<Record<string, string>> | undefined;
}

/** What the two audit entries of a request share; the devices make its text once. */
export type Trail = Pick<AuditEntry, 'auth' | 'request' | 'nonHmacRequestKeys' | 'nonHmacResponseKeys'>;
