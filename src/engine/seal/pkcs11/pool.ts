import { type AgentPort, untilAborted } from './agent.ts';
import { HsmError } from './errors.ts';
import { PinRefusals } from './pin-refusals.ts';
import type { AgentCalls, AgentOp } from './protocol.ts';
import { ModuleSupervisor, type SupervisorOptions } from './supervisor.ts';

/**
 * Several PKCS#11 processes before one token (`max_parallel`): a call goes to one that is idle, and waits when none is.
 *
 * I1  The first process is the one that counts: it opens, generates, reports and rehearses, and no other starts before
 *     the first has logged in.
 * I2  Another process that cannot work (no more sessions, say) costs nothing but its try: its call goes to the first,
 *     and it is left alone for a while.
 * I3  A PIN that was refused to one is refused to all.
 */
export class ModulePool implements AgentPort {
  readonly #options: SupervisorOptions;
  readonly #first: Member;
  readonly #members: Member[];
  readonly #waiting: (() => void)[] = [];
  #opened = false;

  constructor(options: SupervisorOptions) {
    const { early, ...others } = { ...options, refusals: new PinRefusals(options.random) };
    this.#options = others;
    this.#first = this.#make(early);
    this.#members = [this.#first];
  }

  async call<K extends AgentOp>(
    op: K,
    body: AgentCalls[K]['request'],
    options: { readonly signal?: AbortSignal },
  ): Promise<AgentCalls[K]['reply']> {
    const alone = this.#options.config.maxParallel === 1 || !this.#opened || !SHARED.has(op);
    const run = alone ? this.#callFirst(op, body, options) : this.#callAny(op, body, options);
    return untilAborted(run, options.signal);
  }

  /** As of a supervisor. */
  warm(): void {
    this.#first.supervisor.warm();
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map(({ supervisor }) => supervisor.close()));
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async #callFirst<K extends AgentOp>(
    op: K,
    body: AgentCalls[K]['request'],
    options: { readonly signal?: AbortSignal },
  ): Promise<AgentCalls[K]['reply']> {
    try {
      const reply = await this.#first.supervisor.call(op, body, options);
      this.#opened = true;
      return reply;
    } finally {
      this.#waiting.shift()?.();
    }
  }

  async #callAny<K extends AgentOp>(
    op: K,
    body: AgentCalls[K]['request'],
    options: { readonly signal?: AbortSignal },
  ): Promise<AgentCalls[K]['reply']> {
    const member = await this.#idle();
    try {
      return await member.supervisor.call(op, body, options);
    } catch (error) {
      const mayRepeat = error instanceof HsmError && !FINAL.has(error.code) && !error.terminal;
      if (member === this.#first || !mayRepeat) throw error;
      const { clock, log } = this.#options;
      member.restUntil = clock.monotonic() + REST_MS;
      log.debug({ code: error.code, hint: error.hint }, 'hsm: one process more cannot work');
    } finally {
      member.held = false;
      this.#waiting.shift()?.();
    }
    return this.#callFirst(op, body, options);
  }

  async #idle(): Promise<Member> {
    for (;;) {
      const now = this.#options.clock.monotonic();
      let found = this.#members.find(
        ({ supervisor, held, restUntil }) => !held && supervisor.pending === 0 && restUntil <= now,
      );
      if (found === undefined && this.#members.length < this.#options.config.maxParallel)
        this.#members.push((found = this.#make()));
      if (found !== undefined) {
        found.held = true;
        return found;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #make(early?: SupervisorOptions['early']): Member {
    const options = early === undefined ? this.#options : { ...this.#options, early };
    return { supervisor: new ModuleSupervisor(options), held: false, restUntil: 0 };
  }
}

interface Member {
  readonly supervisor: ModuleSupervisor;
  /** Whether a call has it, or is about to. */
  held: boolean;
  /** Monotonic milliseconds. */
  restUntil: number;
}

/** What any process can do. */
const SHARED: ReadonlySet<AgentOp> = new Set<AgentOp>(['wrap', 'unwrap', 'random']);

/** Not to be repeated by another process: what is wrong is the value, or it took its time already. */
const FINAL: ReadonlySet<string> = new Set(['ERR_SEAL_BLOB', 'ERR_HSM_TIMEOUT']);

const REST_MS = 30_000;
