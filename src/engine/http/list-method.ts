import type { Server } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';

/**
 * Vault's clients send `LIST`, a method that Node's HTTP parser does not know: it stops the connection there.
 * The request is then read once more, by a new parser on the same connection, under a method of the same length
 * that no client of Vault sends. Connections without a LIST pay nothing.
 *
 * `LINK` as it comes off the wire here means `LIST`.
 */
export const LIST_AS = 'LINK';

interface ParserError extends Error {
  readonly code?: string;
  readonly bytesParsed?: number;
  rawPacket?: Buffer;
}

/** What Node keeps on a connection; only what is used here. */
interface Parser {
  execute(data: Buffer): number | Error;
  unconsume(): void;
  remove(): void;
  close(): void;
}

interface Connection extends Duplex {
  parser?: Parser | null;
  _httpMessage?: { once(event: 'close', listener: () => void): unknown } | null;
}

const BAD_REQUEST = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/** Makes a server understand LIST; other unreadable requests get 400 and the connection ends. */
export function acceptList(server: Server | HttpsServer): void {
  server.on('clientError', (error: ParserError, socket: Connection) => {
    const rest = listRequest(error);
    if (rest === undefined || !isParser(socket.parser)) {
      if (socket.writable) socket.end(BAD_REQUEST);
      else socket.destroy();
      return;
    }
    const again = (): void => {
      // Answers to earlier requests on this connection go out first.
      if (socket._httpMessage) socket._httpMessage.once('close', again);
      else readAgain(server, socket, rest);
    };
    again();
  });
}

function listRequest({ code, rawPacket, bytesParsed = 0 }: ParserError): Buffer | undefined {
  if (code !== 'HPE_INVALID_METHOD' || rawPacket === undefined) return undefined;
  const start = rawPacket.indexOf('LIST ', Math.max(0, bytesParsed - 'LIST '.length));
  if (start === -1 || start > bytesParsed) return undefined;
  const rest = Buffer.from(rawPacket.subarray(start));
  rest.write(LIST_AS);
  return rest;
}

function readAgain(server: Server | HttpsServer, socket: Connection, rest: Buffer): void {
  const { parser } = socket;
  if (!isParser(parser) || socket.destroyed) return;
  parser.unconsume();
  parser.remove();
  // This runs inside the parser's own read: freed before that has unwound, it is written to after its death.
  setImmediate(() => parser.close());
  socket.parser = null;
  for (const event of ['data', 'end', 'error', 'close', 'drain', 'timeout', 'pause', 'resume'])
    socket.removeAllListeners(event);
  for (const wrapped of ['on', 'addListener', 'prependListener', 'setEncoding'])
    Reflect.deleteProperty(socket, wrapped);
  server.emit(server instanceof HttpsServer ? 'secureConnection' : 'connection', socket);
  const fresh: unknown = Reflect.get(socket, 'parser');
  if (!isParser(fresh)) {
    socket.destroy();
    return;
  }
  const result = fresh.execute(rest);
  if (result instanceof Error) server.emit('clientError', Object.assign(result, { rawPacket: rest }), socket);
}

function isParser(value: unknown): value is Parser {
  return typeof value === 'object' && value !== null && 'execute' in value && 'unconsume' in value;
}
