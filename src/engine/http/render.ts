import type { ServerResponse } from 'node:http';
import type { Json, JsonObject } from '../../lib/json.ts';
import type { AuthResult, Response } from '../logical/response.ts';

/** Writes a response in Vault's form: an envelope, a raw body, `{"errors": […]}`, or nothing. */
export function render(response: Response, requestId: string, out: ServerResponse, head: boolean): void {
  switch (response.kind) {
    case 'empty':
      out.writeHead(204, { 'Cache-Control': 'no-store', 'Content-Type': 'application/json' });
      out.end();
      return;
    case 'raw':
      send(out, response.status, response.body, head);
      return;
    case 'refusal':
      if (response.data === undefined) send(out, response.status, { errors: [...response.errors] }, head);
      else send(out, response.status, envelope(requestId, { data: response.data }), head);
      return;
    case 'data': {
      const body = envelope(requestId, { data: response.data, warnings: response.warnings });
      send(out, response.status ?? 200, response.atTop === true ? { ...response.data, ...body } : body, head);
      return;
    }
    case 'advised':
      send(
        out,
        200,
        { ...envelope(requestId, { data: response.data }), lease_duration: response.leaseDuration },
        head,
      );
      return;
    case 'auth':
      send(
        out,
        200,
        {
          ...envelope(requestId, { data: null, warnings: response.warnings }),
          auth: renderAuth(response.auth),
        },
        head,
      );
  }
}

function envelope(
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

function renderAuth({ clientToken, entry, leaseDuration }: AuthResult): JsonObject {
  return {
    client_token: clientToken,
    accessor: entry.accessor,
    policies: [...entry.policies],
    token_policies: [...entry.policies],
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

function send(out: ServerResponse, status: number, body: Json, head: boolean): void {
  const text = `${JSON.stringify(body)}\n`;
  out.writeHead(status, {
    'Cache-Control': 'no-store',
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  out.end(head ? undefined : text);
}
