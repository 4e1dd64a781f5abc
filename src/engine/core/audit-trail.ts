import type { AuditAuth, AuditRequest, AuditResponse } from '../audit/entry.ts';
import type { TokenEntry } from '../logical/request.ts';
import type { AuthResult, Response } from '../logical/response.ts';
import type { Context, CoreRequest, Trail } from './context.ts';

/** Writes the entry of a request before it takes effect. @throws ERR_AUDIT_UNAVAILABLE */
export async function auditRequest(context: Context): Promise<undefined> {
  if (context.vault.audit.deviceCount === 0) return;
  const trail = trailOf(context);
  const refusal = refusalText(context.response);
  await context.vault.audit.logRequest(refusal === undefined ? trail : { ...trail, error: refusal });
}

/** Writes the entry of an answer before it leaves. @throws ERR_AUDIT_UNAVAILABLE */
export async function auditResponse(context: Context): Promise<undefined> {
  if (context.vault.audit.deviceCount === 0) return;
  const { response } = context;
  const refusal = refusalText(response);
  const trail = trailOf(context);
  const described = response === undefined ? undefined : describe(response);
  await context.vault.audit.logResponse({
    ...trail,
    ...(described === undefined ? {} : { response: described }),
    ...(refusal === undefined ? {} : { error: refusal }),
  });
}

function trailOf(context: Context): Trail {
  context.trail ??= makeTrail(context);
  return context.trail;
}

function makeTrail({ request, token, mounted, logical, vault }: Context): Trail {
  const headers = auditedHeaders(request, vault);
  const audited: AuditRequest = {
    id: request.id,
    operation: logical?.operation ?? request.operation,
    path: request.path,
    remoteAddress: request.remoteAddress,
    remotePort: request.remotePort,
    ...(request.token === '' ? {} : { clientToken: request.token }),
    ...(token === undefined ? {} : { clientTokenAccessor: token.accessor }),
    ...(request.clientName === undefined ? {} : { clientName: request.clientName }),
    ...(mounted === undefined
      ? {}
      : {
          mountType: mounted.entry.type,
          mountPoint: mounted.prefix,
          mountAccessor: mounted.entry.accessor,
          mountClass: mounted.entry.table === 'auth' ? 'auth' : 'secret',
        }),
    ...(request.operation === 'update' || request.operation === 'patch' || request.operation === 'delete'
      ? { data: request.body }
      : {}),
    ...(headers === undefined ? {} : { headers }),
  };
  const config = mounted?.entry.config;
  return {
    request: audited,
    ...(token === undefined ? {} : { auth: authOf(token, request.token) }),
    ...(config?.auditNonHmacRequestKeys === undefined
      ? {}
      : { nonHmacRequestKeys: config.auditNonHmacRequestKeys }),
    ...(config?.auditNonHmacResponseKeys === undefined
      ? {}
      : { nonHmacResponseKeys: config.auditNonHmacResponseKeys }),
  };
}

function auditedHeaders({ headers }: CoreRequest, { http }: Context['vault']): AuditRequest['headers'] {
  const found = Object.entries(http.audited).flatMap(([name, { hmac }]) => {
    const value = headers[name];
    return value === undefined ? [] : [[name, { values: [value].flat(), hmac }] as const];
  });
  return found.length === 0 ? undefined : Object.fromEntries(found);
}

function authOf(entry: TokenEntry, clientToken: string): AuditAuth {
  return {
    source: entry,
    clientToken,
    accessor: entry.accessor,
    displayName: entry.displayName,
    policies: entry.policies,
    tokenPolicies: entry.policies,
    metadata: entry.meta,
    entityId: entry.entityId,
    tokenType: entry.type,
    tokenTtl: entry.creationTtl,
    tokenIssueTime: new Date(entry.creationTime * 1000).toISOString(),
  };
}

function describe(response: Response): AuditResponse | undefined {
  switch (response.kind) {
    case 'data':
      return {
        data: response.data,
        ...(response.warnings === undefined ? {} : { warnings: response.warnings }),
      };
    case 'advised':
      return { data: response.data };
    case 'leased':
      return {
        data: response.data,
        secret: { leaseId: response.leaseId },
        ...(response.warnings === undefined ? {} : { warnings: response.warnings }),
      };
    case 'auth':
      return { auth: issued(response.auth) };
    case 'refusal':
      return response.data === undefined ? undefined : { data: response.data };
    case 'wrapped':
      return { wrapInfo: response.info };
    case 'empty':
    case 'login':
    case 'second-factor':
    case 'bytes':
    case 'stream':
    case 'secret':
    case 'raw':
      return undefined;
  }
}

function issued({ clientToken, entry }: AuthResult): AuditAuth {
  return authOf(entry, clientToken);
}

function refusalText(response: Response | undefined): string | undefined {
  return response?.kind === 'refusal' && response.errors.length > 0 ? response.errors.join('; ') : undefined;
}
