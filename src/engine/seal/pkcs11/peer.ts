import type { Socket } from 'node:net';
import type { Logger } from '../../../lib/log.ts';
import { Secret } from '../../../lib/secret.ts';
import type { AgentPort } from './agent.ts';
import { HsmError } from './errors.ts';
import { frame, FrameReader } from './frames.ts';
import { decodeMessage, encodeMessage, type Message, numberField } from './message.ts';
import { readOrder } from './held-key.ts';
import type { HeldKeyPort } from './key-library.ts';
import { type AgentOp, codecs, errorFields, type Fields, HELD, readOp, RENEW } from './protocol.ts';

/** A message that has begun must end within this time. */
const MESSAGE_MS = 10_000;
/** A connection without requests ends after this time; an engine connects again by itself. */
const IDLE_MS = 5 * 60_000;
/** Requests of one connection that may wait. */
const MAX_WAITING = 16;
/** Answers that a peer does not read. */
const MAX_UNREAD = 1024 * 1024;

const NOTHING: Fields = { head: {}, parts: {} };

export interface PeerOptions {
  /** Ends the agent; called when the one who asked for it has the answer. */
  readonly renew: () => void;
  /** Managed keys, where they are served. */
  readonly held?: HeldKeyPort | undefined;
  readonly messageMs?: number;
}

/**
 * Answers one connection until it ends or misbehaves: then it is closed, without a word, and nobody else notices.
 * Its requests are answered in their order.
 */
export function servePeer(
  socket: Socket,
  agent: AgentPort,
  log: Logger,
  { renew, held, messageMs = MESSAGE_MS }: PeerOptions,
): void {
  const reader = new FrameReader();
  const gone = new AbortController();
  let waiting = 0;
  let tail: Promise<void> = Promise.resolve();
  let late: NodeJS.Timeout | undefined;

  const drop = (reason: string): void => {
    if (!socket.destroyed) log.warn({ reason }, 'hsm agent: connection dropped');
    socket.destroy();
  };
  const performed = (op: AgentOp | typeof RENEW | typeof HELD, message: Message): Promise<Fields> => {
    if (op === RENEW) return Promise.resolve(NOTHING);
    return op === HELD ? performHeld(held, message) : perform(agent, op, message, gone.signal);
  };
  const enqueue = (bytes: Uint8Array): void => {
    waiting += 1;
    if (waiting > MAX_WAITING) throw new RangeError('too many requests at once');
    const message = decodeMessage(bytes);
    bytes.fill(0);
    const id = numberField(message.head, 'id');
    const op = opOf(message);
    tail = tail.then(async () => {
      const answer = await answerTo(() => performed(op, message));
      waiting -= 1;
      for (const part of message.parts.values()) part.fill(0);
      if (socket.writableLength > MAX_UNREAD) drop('it does not read its answers');
      if (socket.destroyed) return;
      const encoded = encodeMessage({ id, ...answer.head }, answer.parts);
      const framed = frame(encoded);
      encoded.fill(0);
      for (const part of Object.values(answer.parts)) part.fill(0);
      socket.write(framed, () => {
        framed.fill(0);
        if (op === RENEW) renew();
      });
    });
  };

  socket.on('data', (chunk) => {
    try {
      const messages = reader.push(chunk);
      if (messages.length > 0) {
        clearTimeout(late);
        late = undefined;
      }
      if (reader.partial) late ??= setTimeout(() => drop('a request did not end'), messageMs);
      for (const bytes of messages) enqueue(bytes);
    } catch (error) {
      drop(error instanceof RangeError ? error.message : 'it sent what is not a request');
    }
  });
  socket.setTimeout(IDLE_MS, () => {
    if (waiting === 0) socket.destroy();
  });
  socket.on('error', () => {});
  socket.once('close', () => {
    clearTimeout(late);
    gone.abort();
  });
}

function opOf(message: Message): AgentOp | typeof RENEW | typeof HELD {
  const { op } = message.head;
  return op === RENEW || op === HELD ? op : readOp(message);
}

async function answerTo(perform: () => Promise<Fields>): Promise<Fields> {
  try {
    return await perform();
  } catch (error) {
    // What to repair is the agent's own affair: its peer only sees that it failed.
    if (error instanceof HsmError)
      return { head: errorFields(new HsmError(error.code, hintOf(error))), parts: {} };
    return { head: errorFields(new HsmError('ERR_HSM_AGENT_UNAVAILABLE')), parts: {} };
  }
}

async function perform<K extends AgentOp>(
  agent: AgentPort,
  op: K,
  message: Message,
  signal: AbortSignal,
): Promise<Fields> {
  const codec = codecs[op];
  return codec.writeReply(await agent.call(op, codec.readRequest(message), { signal }));
}

async function performHeld(held: HeldKeyPort | undefined, message: Message): Promise<Fields> {
  if (held === undefined)
    throw new HsmError('ERR_HSM_AGENT_UNAVAILABLE', {
      hint: 'this HSM agent serves no managed keys: set managed_keys = true in its configuration',
    });
  const { choice, order, pin, input } = readOrder(message);
  using secret = Secret.own(pin);
  const { head, parts } = await held.call({ choice, pin: secret }, order, input);
  const { id: _id, ...fields } = head;
  return { head: fields, parts: Object.fromEntries(parts) };
}

function hintOf(error: HsmError): { hint?: string } {
  return error.hint === undefined ? {} : { hint: error.hint };
}
