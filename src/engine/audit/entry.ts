import type { JsonObject } from '../../lib/json.ts';

/** Who asks: as the token store knows it. */
export interface AuditAuth {
  /** What the fields were taken from: the same object always gives the same fields, and the same token. */
  readonly source?: object;
  readonly clientToken?: string;
  readonly accessor?: string;
  readonly displayName?: string;
  readonly policies?: readonly string[];
  readonly tokenPolicies?: readonly string[];
  readonly identityPolicies?: readonly string[];
  readonly metadata?: Readonly<Record<string, string>> | null;
  readonly entityId?: string;
  readonly tokenType?: string;
  /** Seconds. */
  readonly tokenTtl?: number;
  /** RFC 3339. */
  readonly tokenIssueTime?: string;
  readonly policyResults?: { readonly allowed: boolean };
}

export interface AuditRequest {
  readonly id: string;
  readonly operation: string;
  readonly path: string;
  readonly clientToken?: string;
  readonly clientTokenAccessor?: string;
  readonly clientId?: string;
  readonly mountType?: string;
  readonly mountPoint?: string;
  readonly mountAccessor?: string;
  readonly mountClass?: 'secret' | 'auth';
  readonly data?: JsonObject;
  /** Headers that are configured to be audited; `hmac` tells how. */
  readonly headers?: Readonly<Record<string, { readonly values: readonly string[]; readonly hmac: boolean }>>;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  /** Seconds. */
  readonly wrapTtl?: number;
  /** Common name of a verified client certificate. */
  readonly clientName?: string;
}

export interface AuditWrapInfo {
  readonly token: string;
  readonly accessor: string;
  readonly wrappedAccessor?: string;
  /** Seconds. */
  readonly ttl: number;
  readonly creationTime: string;
  readonly creationPath: string;
}

export interface AuditResponse {
  readonly auth?: AuditAuth;
  readonly data?: JsonObject | null;
  readonly secret?: { readonly leaseId: string };
  readonly warnings?: readonly string[];
  readonly wrapInfo?: AuditWrapInfo;
}

/**
 * What is written twice for each request: before it is done, and before its answer leaves. When both calls get
 * the same `auth` and `request` objects, their text is made once.
 */
export interface AuditEntry {
  readonly auth?: AuditAuth;
  readonly request: AuditRequest;
  readonly response?: AuditResponse;
  readonly error?: string;
  /** Top-level keys of the data that the mount's owner wants plain. */
  readonly nonHmacRequestKeys?: readonly string[];
  readonly nonHmacResponseKeys?: readonly string[];
}
