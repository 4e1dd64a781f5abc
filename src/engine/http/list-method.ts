import type { Server } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { type ParserError, refuseUnreadable } from './unreadable.ts';

/**
 * Vault's clients send `LIST`, a method that Node's HTTP parser does not know: it stops the connection there.
 * The request is then read once more, by a new parser on the same connection, under a method of the same length
 * that no client of Vault sends. Connections without a LIST pay nothing.
 *
 * `LINK` as it comes off the wire here means `LIST`.
 */
export const LIST_AS = 'LINK';

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

const LIST = Buffer.from('LIST ');

/** Makes a server understand LIST, also when it arrives in pieces; what cannot be read is refused. */
export function acceptList(server: Server | HttpsServer): void {
  const begun = new WeakMap<Connection, Buffer>();
  server.on('clientError', (error: ParserError, socket: Connection) => {
    const rest = listRequest(error, begun.get(socket));
    begun.delete(socket);
    if (rest === undefined || !isParser(socket.parser)) {
      refuseUnreadable(error, socket);
      return;
    }
    // The parser stays where it failed, and gives what comes next to this listener again.
    if (rest.length < LIST.length) {
      begun.set(socket, rest);
      return;
    }
    rest.write(LIST_AS);
    const again = (): void => {
      // Answers to earlier requests on this connection go out first.
      if (socket._httpMessage) socket._httpMessage.once('close', again);
      else readAgain(server, socket, rest);
    };
    again();
  });
}

/**
 * The request from its method on, or as much of the method as has arrived. What came in an earlier packet is gone:
 * only `L` and `LI` are understood by the parser, and fail with the letter after them.
 */
function listRequest(
  { code, rawPacket, bytesParsed = 0 }: ParserError,
  begun: Buffer | undefined,
): Buffer | undefined {
  if (code !== 'HPE_INVALID_METHOD' || rawPacket === undefined) return undefined;
  if (begun !== undefined) return asList(Buffer.concat([begun, rawPacket]));
  const start = rawPacket.lastIndexOf('LI', bytesParsed);
  if (start !== -1 && start + 2 >= bytesParsed) return asList(Buffer.from(rawPacket.subarray(start)));
  const missing = 2 - bytesParsed;
  return missing > 0 ? asList(Buffer.concat([LIST.subarray(0, missing), rawPacket])) : undefined;
}

function asList(request: Buffer): Buffer | undefined {
  const length = Math.min(request.length, LIST.length);
  return request.subarray(0, length).equals(LIST.subarray(0, length)) ? request : undefined;
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
