import type { Json, JsonObject } from '../../lib/json.ts';
import type { AuthResult, Response, WrapInfo } from '../logical/response.ts';

/** A response as it goes onto the wire; without a body for 204. */
export interface Rendered {
  readonly status: number;
  readonly body: Json | undefined;
}

/** Vault's form of a response: an envelope, a body of its own, `{"errors": […]}`, or nothing. */
export function envelope(response: Response, requestId: string): Rendered {
  switch (response.kind) {
    case 'empty':
      return { status: response.status ?? 204, body: undefined };
    case 'raw':
      return { status: response.status, body: response.body };
    case 'refusal':
      return {
        status: response.status,
        body:
          response.data === undefined
            ? { errors: [...response.errors] }
            : members(requestId, { data: response.data }),
      };
    case 'data': {
      const body = members(requestId, { data: response.data, warnings: response.warnings });
      return {
        status: response.status ?? 200,
        body: response.atTop === true ? { ...response.data, ...body } : body,
      };
    }
    case 'advised':
      return {
        status: 200,
        body: { ...members(requestId, { data: response.data }), lease_duration: response.leaseDuration },
      };
    case 'auth':
      return {
        status: 200,
        body: {
          ...members(requestId, { data: null, warnings: response.warnings }),
          auth: renderAuth(response.auth),
        },
      };
    case 'bytes':
      throw new TypeError('bytes have no JSON form');
    case 'leased':
      return {
        status: 200,
        body: {
          ...members(requestId, { data: response.data, warnings: response.warnings }),
          lease_id: response.leaseId,
          renewable: response.renewable,
          lease_duration: response.leaseDuration,
        },
      };
    case 'login':
      throw new TypeError('a login is made a token before it is rendered');
    case 'secret':
      throw new TypeError('a secret gets its lease before it is rendered');
    case 'wrapped':
      return {
        status: 200,
        body: { ...members('', { data: null }), wrap_info: renderWrapInfo(response.info) },
      };
  }
}

function members(
  requestId: string,
  { data, warnings }: { data: JsonObject | null; warnings?: readonly string[] | undefined },
): JsonObject {
  return {
    request_id: requestId,
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data,
    wrap_info: null,
    warnings: warnings === undefined || warnings.length === 0 ? null : [...warnings],
    auth: null,
  };
}

function renderAuth({ clientToken, entry, leaseDuration, identityPolicies }: AuthResult): JsonObject {
  return {
    client_token: clientToken,
    accessor: entry.accessor,
    policies: [...new Set([...entry.policies, ...(identityPolicies ?? [])])].toSorted(),
    token_policies: [...entry.policies],
    ...(identityPolicies === undefined || identityPolicies.length === 0
      ? {}
      : { identity_policies: [...identityPolicies] }),
    metadata: entry.meta === null ? null : { ...entry.meta },
    lease_duration: leaseDuration,
    renewable: entry.renewable,
    entity_id: entry.entityId,
    token_type: entry.type,
    orphan: entry.orphan,
    mfa_requirement: null,
    num_uses: Math.max(entry.numUses, 0),
  };
}

function renderWrapInfo(info: WrapInfo): JsonObject {
  return {
    token: info.token,
    accessor: info.accessor,
    ttl: info.ttl,
    creation_time: info.creationTime,
    creation_path: info.creationPath,
    ...(info.wrappedAccessor === undefined ? {} : { wrapped_accessor: info.wrappedAccessor }),
  };
}
