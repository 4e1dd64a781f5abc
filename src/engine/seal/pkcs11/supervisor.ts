import { Backoff } from '../../../lib/backoff.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import type { Random } from '../../../lib/random.ts';
import { type AgentPort, type AgentTiming, untilAborted } from './agent.ts';
import type { ConnectOptions } from './agent/hsm.ts';
import { connectFields } from './agent/settings.ts';
import type { ModuleConfig } from './config.ts';
import type { EarlyProcess } from './early.ts';
import { HsmError } from './errors.ts';
import { resolvePin } from './pin.ts';
import { PinRefusals } from './pin-refusals.ts';
import { ModuleProcess } from './process.ts';
import type { Message } from './message.ts';
import { type AgentCalls, type AgentOp, codecs } from './protocol.ts';

export interface SupervisorOptions {
  readonly config: ModuleConfig;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly timing: AgentTiming;
  /** A process that was started before, for the first use. */
  readonly early?: EarlyProcess;
  /** Shared by supervisors of the same token. */
  readonly refusals?: PinRefusals;
}

/** From the mildest to the last resort. */
type Rung = 'none' | 'session' | 'reinitialize' | 'process';
const LADDER: readonly Rung[] = ['none', 'session', 'reinitialize', 'process'];

/**
 * Owns a PKCS#11 process and keeps it working.
 *
 * I1  One call at a time: the process has one thread, and it blocks.
 * I2  A failed call climbs the ladder: new session (and log-in), library finalised and initialised, new process.
 *     Each rung ends with a self-test by the key, so a decryption that still fails is the ciphertext's fault.
 * I3  A call that takes too long kills the process and is not repeated; one whose process dies is, once.
 * I4  A PIN that was refused is never presented again while it is the same PIN, whatever process or rung.
 * I5  Processes that fail are replaced with back-off.
 * I6  A rehearsal runs in a process of its own beside the one in use, and shares with it only what I4 remembers.
 */
export class ModuleSupervisor implements AgentPort {
  readonly #options: SupervisorOptions;
  readonly #backoff: Backoff;
  readonly #refusals: PinRefusals;
  #tail: Promise<unknown> = Promise.resolve();
  #rehearsals: Promise<unknown> = Promise.resolve();
  #process: ModuleProcess | undefined;
  #rehearsing: ModuleProcess | undefined;
  #connected = false;
  #pending = 0;
  #failedStarts = 0;
  #closed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ initialMs: 50, maxMs: 5_000, random: options.random });
    this.#refusals = options.refusals ?? new PinRefusals(options.random);
  }

  /** Of the PKCS#11 process, while there is one. */
  get pid(): number | undefined {
    return this.#process?.alive === true ? this.#process.pid : undefined;
  }

  async call<K extends AgentOp>(
    op: K,
    body: AgentCalls[K]['request'],
    options: { readonly signal?: AbortSignal },
  ): Promise<AgentCalls[K]['reply']> {
    const { signal } = options;
    const apart = op === 'rehearse';
    this.#pending += 1;
    const run = (apart ? this.#rehearsals : this.#tail).then(async () => {
      try {
        if (signal?.aborted === true || this.#closed) throw closed();
        return apart ? await this.#rehearse(op, body) : await this.#run(op, body);
      } finally {
        this.#pending -= 1;
      }
    });
    if (apart) this.#rehearsals = run.catch(() => {});
    else this.#tail = run.catch(() => {});
    return untilAborted(run, signal);
  }

  /** Calls that wait or run. */
  get pending(): number {
    return this.#pending;
  }

  /** Starts the process ahead of the first call, which then need not wait for it. */
  warm(): void {
    const start = this.#tail.then(async () => {
      if (!this.#closed && this.#process?.alive !== true) await this.#start();
    });
    this.#tail = start.catch(() => {});
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#options.early?.close();
    await this.#discard();
    await this.#rehearsing?.kill();
    await this.#tail;
    await this.#rehearsals;
  }

  async #rehearse<K extends AgentOp>(op: K, body: AgentCalls[K]['request']): Promise<AgentCalls[K]['reply']> {
    const { config, timing, log } = this.#options;
    const process = await ModuleProcess.start(config.libraryEnv, timing.startMs, log);
    this.#rehearsing = process;
    try {
      if (this.#closed) throw closed();
      await this.#present(process, { generateKey: false, reinitialize: false });
      const { head, parts } = codecs[op].writeRequest(body);
      return codecs[op].readReply(await process.request({ op, ...head }, parts, timing.callMs));
    } finally {
      this.#rehearsing = undefined;
      await process.kill();
    }
  }

  async #run<K extends AgentOp>(op: K, body: AgentCalls[K]['request']): Promise<AgentCalls[K]['reply']> {
    const generateKey = op === 'open' && 'generateKey' in body && body.generateKey;
    let last: HsmError | undefined;
    let started = false;
    for (const rung of LADDER) {
      let report: Message | undefined;
      try {
        if (rung === 'process') await this.#discard();
        if (this.#process?.alive !== true) {
          started = true;
          await this.#start();
        }
        if (op === 'open' || rung !== 'none' || !this.#connected) {
          report = await this.#connect(generateKey, rung === 'reinitialize');
        }
        const reply = await this.#request(op, body, report);
        if (last !== undefined) this.#options.log.info({ rung, code: last.code }, 'hsm: repaired');
        return reply;
      } catch (error) {
        last = asHsmError(error);
        await this.#discardIf(last);
        // The key has just proven itself: the ciphertext is what is wrong (I2).
        if (last.code === 'ERR_SEAL_BLOB' && report !== undefined) throw last;
        if (!this.#mayClimb(last, started)) throw last;
        this.#options.log.debug({ rung, code: last.code, hint: last.hint }, 'hsm: repairing');
      }
    }
    throw last ?? closed();
  }

  #mayClimb(error: HsmError, started: boolean): boolean {
    if (this.#closed || error.repair === 'none' || error.code === 'ERR_HSM_TIMEOUT') return false;
    return error.repair === 'ladder' || !started;
  }

  async #start(): Promise<void> {
    const { config, timing, log, clock } = this.#options;
    if (this.#failedStarts > 0) await clock.sleep(this.#backoff.next());
    if (this.#closed) throw closed();
    this.#failedStarts += 1;
    const from = clock.monotonic();
    const early = await this.#options.early?.take();
    this.#process =
      early?.alive === true ? early : await ModuleProcess.start(config.libraryEnv, timing.startMs, log);
    if (this.#closed) await this.#discard();
    log.debug(
      { pid: this.#process?.pid, durationMs: Math.round(clock.monotonic() - from) },
      'hsm: process started',
    );
  }

  async #connect(generateKey: boolean, reinitialize: boolean): Promise<Message> {
    const options = { generateKey: generateKey && this.#options.config.generateKey, reinitialize };
    this.#connected = false;
    const message = await this.#present(this.#alive(), options);
    this.#connected = true;
    this.#failedStarts = 0;
    this.#backoff.reset();
    return message;
  }

  // The only place that presents a PIN (I4).
  async #present(process: ModuleProcess, options: ConnectOptions): Promise<Message> {
    const { config, timing } = this.#options;
    return this.#refusals.present(
      () => resolvePin(config.pin),
      async (pin) => {
        const { head, parts } = pin.borrow((bytes) =>
          connectFields({ settings: config, options }, Uint8Array.from(bytes)),
        );
        try {
          return await process.request(head, parts, timing.openMs);
        } catch (error) {
          throw asHsmError(error);
        } finally {
          for (const bytes of Object.values(parts)) bytes.fill(0);
        }
      },
    );
  }

  async #request<K extends AgentOp>(
    op: K,
    body: AgentCalls[K]['request'],
    report: Message | undefined,
  ): Promise<AgentCalls[K]['reply']> {
    const codec = codecs[op];
    if (op === 'open' && report !== undefined) return codec.readReply(report);
    const { head, parts } = codec.writeRequest(body);
    return codec.readReply(await this.#alive().request({ op, ...head }, parts, this.#options.timing.callMs));
  }

  #alive(): ModuleProcess {
    if (this.#process === undefined) throw closed();
    return this.#process;
  }

  async #discardIf(error: HsmError): Promise<void> {
    if (error.repair === 'process' || this.#process?.alive !== true) await this.#discard();
    else if (error.repair === 'ladder') this.#connected = false;
  }

  async #discard(): Promise<void> {
    const old = this.#process;
    this.#process = undefined;
    this.#connected = false;
    await old?.kill();
  }
}

function closed(): HsmError {
  return new HsmError('ERR_HSM_AGENT_UNAVAILABLE', { hint: 'the seal is closed' });
}

function asHsmError(error: unknown): HsmError {
  if (error instanceof HsmError) return error;
  return new HsmError('ERR_HSM_AGENT_UNAVAILABLE', { cause: error, repair: 'process' });
}
