import { type Socket, connect } from 'node:net';
import { Backoff } from '../../../lib/backoff.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Random } from '../../../lib/random.ts';
import { type AgentPort, type AgentTiming, untilAborted } from './agent.ts';
import { HsmError } from './errors.ts';
import { frame, FrameReader } from './frames.ts';
import { decodeMessage, encodeMessage, type Message } from './message.ts';
import { type AgentCalls, type AgentOp, codecs, readError, RENEW } from './protocol.ts';
import { distrustOf, ownUid } from './socket-trust.ts';

export interface RemoteOptions {
  readonly socketPath: string;
  /** The agent's user besides root; this process' own by default. */
  readonly agentUid?: number | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly timing: AgentTiming;
}

/** A sidecar that is being restarted is worth a moment's patience within one call; longer waits are the caller's. */
const CONNECT_ATTEMPTS = 4;

/** The agent climbs its ladder within one call: it may use its own deadline several times. */
const LADDER_FACTOR = 4;

/** An HSM agent behind a unix socket. Connects at the first call and again whenever the connection is gone. */
export class RemoteAgent implements AgentPort {
  readonly #options: RemoteOptions;
  #connection: Promise<Connection> | undefined;
  #closed = false;

  constructor(options: RemoteOptions) {
    this.#options = options;
  }

  async call<K extends AgentOp>(
    op: K,
    body: AgentCalls[K]['request'],
    options: { readonly signal?: AbortSignal },
  ): Promise<AgentCalls[K]['reply']> {
    return untilAborted(this.#call(op, body, options.signal), options.signal);
  }

  async renew({ signal }: { readonly signal?: AbortSignal }): Promise<void> {
    const connection = await untilAborted(this.#connect(signal), signal);
    const error = readError(await connection.request({ op: RENEW }, {}, this.#options.timing.callMs));
    if (error !== undefined) throw error;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const connection = await this.#connection?.catch(() => undefined);
    connection?.end(unavailable('the seal is closed'));
  }

  async #call<K extends AgentOp>(
    op: K,
    body: AgentCalls[K]['request'],
    signal: AbortSignal | undefined,
  ): Promise<AgentCalls[K]['reply']> {
    const codec = codecs[op];
    const { head, parts } = codec.writeRequest(body);
    return codec.readReply(await this.ask({ op, ...head }, parts, signal));
  }

  /**
   * Sends what is asked for, over a new connection when the old one is gone.
   * @returns an answer that carries no error
   * @throws ERR_HSM_*, ERR_SEAL_BLOB, ERR_ABORTED
   */
  async ask(
    head: Readonly<Record<string, unknown>>,
    parts: Readonly<Record<string, Uint8Array>>,
    signal?: AbortSignal,
  ): Promise<Message> {
    const { timing } = this.#options;
    const timeoutMs = timing.startMs + timing.openMs + LADDER_FACTOR * timing.callMs;
    let message: Message;
    try {
      message = await (await this.#connect(signal)).request(head, parts, timeoutMs);
    } catch (error) {
      // The agent may have been replaced between two calls: the old connection shows it only now.
      if (!(error instanceof HsmError) || error.repair !== 'process') throw error;
      message = await (await this.#connect(signal)).request(head, parts, timeoutMs);
    }
    const error = readError(message);
    if (error !== undefined) throw error;
    return message;
  }

  async #connect(signal: AbortSignal | undefined): Promise<Connection> {
    const { socketPath, agentUid, clock, random } = this.#options;
    const backoff = new Backoff({ initialMs: 50, maxMs: 1_000, random });
    for (let attempt = 1; ; attempt += 1) {
      if (this.#closed) throw unavailable('the seal is closed');
      this.#connection ??= Connection.open(socketPath, agentUid ?? ownUid());
      try {
        const connection = await this.#connection;
        if (connection.alive) return connection;
        this.#connection = undefined;
      } catch (error) {
        this.#connection = undefined;
        if (attempt >= CONNECT_ATTEMPTS) throw error;
        await clock.sleep(backoff.next(), { signal });
      }
    }
  }
}

interface Pending {
  readonly resolve: (message: Message) => void;
  readonly reject: (error: HsmError) => void;
  readonly timer: NodeJS.Timeout;
}

class Connection {
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #gone: HsmError | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => {});
    socket.on('close', () => this.end(unavailable('the connection to the HSM agent broke', 'process')));
  }

  /** @throws ERR_HSM_AGENT_UNAVAILABLE */
  static async open(path: string, agentUid: number): Promise<Connection> {
    const distrust = distrustOf(path, { uid: agentUid });
    if (distrust !== undefined)
      throw unavailable(`${path} may be somebody else's: ${distrust}; agent_uid names the agent's user`);
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', (cause) => {
        reject(
          new HsmError('ERR_HSM_AGENT_UNAVAILABLE', { hint: `${path}: ${socketProblem(cause)}`, cause }),
        );
      });
      socket.once('connect', () => resolve(new Connection(socket)));
    });
  }

  get alive(): boolean {
    return this.#gone === undefined;
  }

  /** @throws ERR_HSM_TIMEOUT, ERR_HSM_AGENT_UNAVAILABLE when the connection breaks */
  async request(
    head: Readonly<Record<string, unknown>>,
    parts: Readonly<Record<string, Uint8Array>>,
    timeoutMs: number,
  ): Promise<Message> {
    if (this.#gone !== undefined) throw this.#gone;
    const id = this.#nextId;
    this.#nextId += 1;
    const message = encodeMessage({ id, ...head }, parts);
    const framed = frame(message);
    message.fill(0);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        const error = new HsmError('ERR_HSM_TIMEOUT', { hint: 'the HSM agent does not answer: see its log' });
        reject(error);
        this.end(error);
      }, timeoutMs);
      this.#pending.set(id, { resolve, reject, timer });
      this.#socket.write(framed, () => framed.fill(0));
    });
  }

  end(error: HsmError): void {
    this.#gone ??= error;
    this.#socket.destroy();
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#pending.clear();
  }

  #receive(chunk: Uint8Array): void {
    try {
      for (const bytes of this.#reader.push(chunk)) {
        const message = decodeMessage(bytes);
        bytes.fill(0);
        const id = message.head['id'];
        const pending = typeof id === 'number' ? this.#pending.get(id) : undefined;
        if (pending === undefined || typeof id !== 'number') continue;
        this.#pending.delete(id);
        clearTimeout(pending.timer);
        pending.resolve(message);
      }
    } catch {
      this.end(unavailable('the HSM agent sent what is not a message: do both run the same version?'));
    }
  }
}

function socketProblem(cause: Error): string {
  const code: unknown = Reflect.get(cause, 'code');
  if (code === 'ENOENT') return 'there is no such socket: is the agent running?';
  if (code === 'ECONNREFUSED') return 'nobody listens: is the agent running?';
  if (code === 'EACCES') return 'this user may not use the socket';
  return 'the socket cannot be used';
}

function unavailable(hint: string, repair: 'none' | 'process' = 'none'): HsmError {
  return new HsmError('ERR_HSM_AGENT_UNAVAILABLE', { hint, repair });
}
