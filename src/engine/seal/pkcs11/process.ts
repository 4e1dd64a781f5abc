import { type ChildProcess, fork } from 'node:child_process';
import { installedProgram } from '../../../lib/installed.ts';
import type { Logger } from '../../../lib/log.ts';
import { HsmError } from './errors.ts';
import { decodeMessage, encodeMessage, type Message } from './message.ts';
import { readError } from './protocol.ts';

const PROGRAMS = {
  seal: 'engine/seal/pkcs11/agent/main',
  keys: 'engine/seal/pkcs11/agent/held-main',
} as const;

const MAX_LAST_WORDS = 2_000;

interface Pending {
  readonly resolve: (message: Message) => void;
  readonly reject: (error: HsmError) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * A PKCS#11 process as its parent sees it. A request that is not answered in time kills it: a call that
 * hangs in a vendor's library can be ended in no other way.
 */
export class ModuleProcess {
  readonly #child: ChildProcess;
  readonly #log: Logger;
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #gone: HsmError | undefined;

  private constructor(child: ChildProcess, log: Logger) {
    this.#child = child;
    this.#log = log;
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#fail(ended(code, signal));
        resolve();
      });
      child.once('error', (cause) => {
        this.#fail(
          new HsmError('ERR_HSM_AGENT_UNAVAILABLE', { hint: 'the PKCS#11 process cannot be started', cause }),
        );
        resolve();
      });
    });
    child.on('message', (bytes: unknown) => this.#receive(bytes));
  }

  /**
   * @param env the whole environment of the process
   * @param timeoutMs how long its start may take
   * @param program what it is for: the seal's key, or managed keys
   * @throws ERR_HSM_AGENT_UNAVAILABLE, ERR_HSM_TIMEOUT
   */
  static async start(
    env: Readonly<Record<string, string>>,
    timeoutMs: number,
    log: Logger,
    program: keyof typeof PROGRAMS = 'seal',
  ): Promise<ModuleProcess> {
    const child = fork(installedProgram(PROGRAMS[program]), [], {
      env: { ...env },
      // A signal must not open a debugger, also before the program has its handler.
      execArgv: ['--disable-sigusr1'],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const module = new ModuleProcess(child, log);
    const lastWords = collectErrors(child);
    try {
      await module.#wait(0, timeoutMs);
      return module;
    } catch (error) {
      log.warn({ pid: child.pid, output: lastWords.text() }, 'the PKCS#11 process did not start');
      throw error;
    } finally {
      lastWords.stop();
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get alive(): boolean {
    return this.#gone === undefined;
  }

  /**
   * @param parts wiped as soon as they are on their way
   * @throws the error that the process reports; ERR_HSM_TIMEOUT after killing it; ERR_HSM_AGENT_UNAVAILABLE when it ends
   */
  async request(
    head: Readonly<Record<string, unknown>>,
    parts: Readonly<Record<string, Uint8Array>>,
    timeoutMs: number,
  ): Promise<Message> {
    if (this.#gone !== undefined) throw this.#gone;
    const id = this.#nextId;
    this.#nextId += 1;
    const bytes = encodeMessage({ id, ...head }, parts);
    const reply = this.#wait(id, timeoutMs);
    this.#child.send(bytes, (error) => {
      bytes.fill(0);
      if (error !== null) this.#fail(ended(null, null));
    });
    const message = await reply;
    const error = readError(message);
    if (error !== undefined) throw error;
    return message;
  }

  /** SIGKILL, always: the process may be stuck in the library. */
  async kill(): Promise<void> {
    this.#fail(ended(null, null));
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  #wait(id: number, timeoutMs: number): Promise<Message> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#log.warn({ pid: this.pid, timeoutMs }, 'the PKCS#11 process does not answer and is killed');
        const hint = `no answer within ${timeoutMs} ms: is the HSM reachable?`;
        this.#fail(new HsmError('ERR_HSM_TIMEOUT', { hint, repair: 'process' }));
        this.#child.kill('SIGKILL');
      }, timeoutMs);
      this.#pending.set(id, { resolve, reject, timer });
    });
  }

  #receive(bytes: unknown): void {
    let message: Message;
    try {
      if (!(bytes instanceof Uint8Array)) return;
      message = decodeMessage(bytes);
      bytes.fill(0);
    } catch {
      this.#child.kill('SIGKILL');
      return;
    }
    const id = message.head['ready'] === true ? 0 : message.head['id'];
    const pending = typeof id === 'number' ? this.#pending.get(id) : undefined;
    if (pending === undefined || typeof id !== 'number') return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    pending.resolve(message);
  }

  #fail(error: HsmError): void {
    this.#gone ??= error;
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#pending.clear();
  }
}

/**
 * What the process says before it is ready: there is no vendor code and no PIN in it yet, so that it may be
 * logged. What it says later is read and thrown away.
 */
function collectErrors(child: ChildProcess): { text: () => string; stop: () => void } {
  let said = '';
  let listening = true;
  child.stderr?.on('data', (chunk: unknown) => {
    if (listening && said.length < MAX_LAST_WORDS) said += String(chunk).slice(0, MAX_LAST_WORDS);
  });
  return {
    text: () => said,
    stop: () => {
      listening = false;
    },
  };
}

function ended(code: number | null, signal: NodeJS.Signals | null): HsmError {
  const how = signal !== null ? `by ${signal}` : code === null ? '' : `with exit code ${code}`;
  const crashed = signal === 'SIGSEGV' || signal === 'SIGABRT' || signal === 'SIGBUS';
  return new HsmError('ERR_HSM_AGENT_UNAVAILABLE', {
    hint: `the PKCS#11 process ended ${how}${crashed ? ': the vendor library crashed' : ''}`.trim(),
    repair: 'process',
  });
}
