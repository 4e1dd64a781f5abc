import type { Duplex } from 'node:stream';

/** What Node's parser says of a request that it cannot read. */
export interface ParserError extends Error {
  readonly code?: string;
  readonly bytesParsed?: number;
  readonly rawPacket?: Buffer;
}

/** RFC 6585 §5: the limit of Go's server, which is Vault's. */
export const MAX_HEADER_BYTES: number = 1024 * 1024;

const REASONS: Readonly<Record<string, readonly [number, string, string]>> = {
  HPE_HEADER_OVERFLOW: [
    431,
    'Request Header Fields Too Large',
    `the headers of the request are larger than ${MAX_HEADER_BYTES} bytes`,
  ],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'the request did not arrive in time'],
};

const UNKNOWN_METHOD = [405, 'Method Not Allowed', 'unsupported method'] as const;
const REQUEST_LINE = /^[A-Z][A-Z-]{0,30} \S{1,2000} HTTP\/1\.[01]\r\n/;

function reasonOf({ code = '', rawPacket, bytesParsed = 0 }: ParserError): readonly [number, string, string] {
  if (code === 'HPE_INVALID_METHOD' && rawPacket !== undefined) {
    const start = rawPacket.lastIndexOf('\n', Math.max(0, bytesParsed - 1)) + 1;
    if (REQUEST_LINE.test(rawPacket.toString('latin1', start, start + 2100))) return UNKNOWN_METHOD;
  }
  return REASONS[code] ?? [400, 'Bad Request', 'the request is no HTTP'];
}

/** Answers a request that cannot be read, in JSON, and ends the connection. */
export function refuseUnreadable(error: ParserError, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  refuse(socket, reasonOf(error));
}

/** Answers a method that makes no sense here. */
export function refuseMethod(socket: Duplex): void {
  refuse(socket, UNKNOWN_METHOD);
}

function refuse(socket: Duplex, [status, reason, message]: readonly [number, string, string]): void {
  const body = `${JSON.stringify({ errors: [message] })}\n`;
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nCache-Control: no-store\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}
