import type { Json, JsonObject } from '../../lib/json.ts';
import type { SecretLease } from './lease.ts';
import type { Login } from './login.ts';
import type { TokenEntry } from './request.ts';

/** What a login or a token creation yields. */
export interface AuthResult {
  /** The token's text: given once, to the client, and to audit only as an HMAC. Empty where only the accessor is known. */
  readonly clientToken: string;
  readonly entry: TokenEntry;
  /** Seconds left; 0 is for ever. */
  readonly leaseDuration: number;
  /** Policies that the entity has besides the token's own. */
  readonly identityPolicies?: readonly string[];
}

/** A single-use token in place of an answer. */
export interface WrapInfo {
  readonly token: string;
  readonly accessor: string;
  /** Seconds. */
  readonly ttl: number;
  /** RFC 3339. */
  readonly creationTime: string;
  readonly creationPath: string;
  readonly wrappedAccessor?: string;
}

export type Response =
  /** atTop: the members of data are repeated beside the envelope, for old clients. */
  | {
      readonly kind: 'data';
      readonly data: JsonObject | null;
      readonly warnings?: readonly string[];
      readonly status?: number;
      readonly atTop?: true;
    }
  /** KV v1: a lease duration as advice to clients, without a lease. */
  | { readonly kind: 'advised'; readonly data: JsonObject; readonly leaseDuration: number }
  | { readonly kind: 'auth'; readonly auth: AuthResult; readonly warnings?: readonly string[] }
  /** A proven identity; the token is made of it by core. */
  | { readonly kind: 'login'; readonly login: Login; readonly warnings?: readonly string[] }
  /** A secret with a lifetime: core stores its lease before the answer leaves. */
  | {
      readonly kind: 'secret';
      readonly data: JsonObject;
      readonly lease: SecretLease;
      readonly warnings?: readonly string[];
    }
  /** What core makes of a secret, and the answer to its renewal. */
  | {
      readonly kind: 'leased';
      readonly data: JsonObject | null;
      readonly leaseId: string;
      readonly renewable: boolean;
      /** Seconds. */
      readonly leaseDuration: number;
      readonly warnings?: readonly string[];
    }
  | { readonly kind: 'wrapped'; readonly info: WrapInfo }
  | { readonly kind: 'empty'; readonly status?: 202 }
  | {
      readonly kind: 'refusal';
      readonly status: number;
      readonly errors: readonly string[];
      readonly data?: JsonObject;
    }
  /** Top-level JSON without an envelope: the endpoints that answer before there is a barrier. */
  | { readonly kind: 'raw'; readonly status: number; readonly body: Json }
  /** A body of another media type, as it is: certificates, CRLs, OCSP. */
  | {
      readonly kind: 'bytes';
      readonly status: number;
      readonly contentType: string;
      readonly body: Uint8Array;
    };

export function data(value: JsonObject | null, warnings?: readonly string[]): Response {
  return warnings === undefined || warnings.length === 0
    ? { kind: 'data', data: value }
    : { kind: 'data', data: value, warnings };
}

export const empty: Response = { kind: 'empty' };

/** 202 without a body: it will be done. */
export const accepted: Response = { kind: 'empty', status: 202 };

/** 404 without a message: nothing is there. */
export const notFound: Response = { kind: 'refusal', status: 404, errors: [] };

export function badRequest(message: string): Response {
  return { kind: 'refusal', status: 400, errors: [message] };
}

export const permissionDenied: Response = { kind: 'refusal', status: 403, errors: ['permission denied'] };

/** An answer to LIST: 404 when there are no keys, as Vault does. */
export function keys(names: readonly string[], more?: JsonObject): Response {
  return names.length === 0 ? notFound : { kind: 'data', data: { keys: [...names], ...more } };
}
