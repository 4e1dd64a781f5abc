import type { ServerResponse } from 'node:http';
import { envelope } from '../core/envelope.ts';
import type { Response } from '../logical/response.ts';

/** Writes a response; a HEAD request gets everything but the body. */
export function render(response: Response, requestId: string, out: ServerResponse, head: boolean): void {
  for (const [name, value] of Object.entries(response.headers ?? {})) out.setHeader(name, value);
  if (response.kind === 'stream') {
    stream(response, out);
    return;
  }
  if (response.kind === 'bytes') {
    const { status, contentType, body } = response;
    out.writeHead(status, {
      'Cache-Control': 'no-store',
      'Content-Type': contentType,
      'Content-Length': body.length,
    });
    out.end(head ? undefined : body);
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

// The stream ends with its reader: nothing of it is kept for one that is slow.
function stream({ contentType, start }: Response & { kind: 'stream' }, out: ServerResponse): void {
  out.writeHead(200, { 'Cache-Control': 'no-store', 'Content-Type': contentType });
  out.flushHeaders();
  const stop = start((chunk) => {
    if (!out.writableNeedDrain) out.write(chunk);
  });
  out.once('close', stop);
}
