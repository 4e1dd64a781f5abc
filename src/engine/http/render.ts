import type { ServerResponse } from 'node:http';
import { envelope } from '../core/envelope.ts';
import type { Response } from '../logical/response.ts';

/** Writes a response; a HEAD request gets everything but the body. */
export function render(response: Response, requestId: string, out: ServerResponse, head: boolean): void {
  if (response.kind === 'bytes') {
    out.writeHead(response.status, {
      'Cache-Control': 'no-store',
      'Content-Type': response.contentType,
      'Content-Length': response.body.length,
    });
    out.end(head ? undefined : response.body);
    return;
  }
  const { status, body } = envelope(response, requestId);
  if (body === undefined) {
    out.writeHead(status, { 'Cache-Control': 'no-store', 'Content-Type': 'application/json' });
    out.end();
    return;
  }
  const text = `${JSON.stringify(body)}\n`;
  out.writeHead(status, {
    'Cache-Control': 'no-store',
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  out.end(head ? undefined : text);
}
