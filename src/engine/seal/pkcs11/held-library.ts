import { createHash } from 'node:crypto';
import { Backoff } from '../../../lib/backoff.ts';
import { toHex } from '../../../lib/bytes.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import type { Random } from '../../../lib/random.ts';
import type { Secret } from '../../../lib/secret.ts';
import { type AgentTiming, DEFAULT_TIMING } from './agent.ts';
import { HsmError } from './errors.ts';
import { type HeldKeyChoice, type HeldKeyOrder, orderFields, type SealKeyName } from './held-key.ts';
import type { HeldKey, HeldKeyPort } from './key-library.ts';
import type { Message } from './message.ts';
import { PinRefusals } from './pin-refusals.ts';
import { ModuleProcess } from './process.ts';

export interface HeldLibraryOptions {
  /** Path of the PKCS#11 library. */
  readonly lib: string;
  /** The whole environment of its process. */
  readonly libraryEnv: Readonly<Record<string, string>>;
  /** Keys behind the same library that seal this vault: nobody signs or decrypts by them. */
  readonly sealKeys: readonly SealKeyName[];
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly timing?: AgentTiming;
}

/**
 * A library whose keys stay in an HSM, in a process of its own, started with its first use.
 *
 * I1  One call at a time, each with a deadline, at which the process is killed.
 * I2  A call that failed is tried again with the library started anew, then with a new process; one that was late is not.
 * I3  A PIN that a token refused is not presented to it again while it is the same PIN.
 */
export class HeldLibrary implements HeldKeyPort {
  readonly #options: HeldLibraryOptions;
  readonly #timing: AgentTiming;
  readonly #backoff: Backoff;
  readonly #refusals = new Map<string, PinRefusals>();
  #tail: Promise<unknown> = Promise.resolve();
  #process: ModuleProcess | undefined;
  #failedStarts = 0;
  #closed = false;

  constructor(options: HeldLibraryOptions) {
    this.#options = options;
    this.#timing = options.timing ?? DEFAULT_TIMING;
    this.#backoff = new Backoff({ initialMs: 50, maxMs: 5_000, random: options.random });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#process?.kill();
    await this.#tail;
  }

  call(key: HeldKey, order: HeldKeyOrder, input: Uint8Array): Promise<Message> {
    const run = this.#tail.then(() => this.#climb(key, order, input));
    this.#tail = run.catch(() => {});
    return run;
  }

  async #climb(key: HeldKey, order: HeldKeyOrder, input: Uint8Array): Promise<Message> {
    for (const rung of ['none', 'library', 'process'] as const) {
      try {
        if (rung === 'process') await this.#discard();
        const process = await this.#started();
        return await this.#present(process, key, order, input, rung === 'library');
      } catch (error) {
        const failure = asHsmError(error);
        if (failure.repair === 'process' || this.#process?.alive !== true) await this.#discard();
        const final = failure.repair === 'none' || failure.code === 'ERR_HSM_TIMEOUT' || failure.terminal;
        if (final || rung === 'process' || this.#closed) throw failure;
        this.#options.log.debug({ rung, code: failure.code, hint: failure.hint }, 'managed keys: repairing');
      }
    }
    throw unavailable();
  }

  async #present(
    process: ModuleProcess,
    { choice, pin }: HeldKey,
    order: HeldKeyOrder,
    input: Uint8Array,
    fresh: boolean,
  ): Promise<Message> {
    const { lib, sealKeys } = this.#options;
    const head = { ...orderFields(lib, choice, order), fresh, sealKeys };
    return this.#refusalsOf(choice, pin).present(
      () => pin.clone(),
      async (presented) => {
        const bytes = presented.borrow((each) => Uint8Array.from(each));
        try {
          return await process.request(head, { pin: bytes, input }, this.#timing.openMs);
        } catch (error) {
          throw asHsmError(error);
        } finally {
          bytes.fill(0);
        }
      },
    );
  }

  // Of a token and a PIN: two keys with different PINs do not make each other forget.
  #refusalsOf({ slot, tokenLabel }: HeldKeyChoice, pin: Secret): PinRefusals {
    const digest = pin.borrow((bytes) => toHex(createHash('sha256').update(bytes).digest()));
    const name = JSON.stringify([slot === undefined ? '' : String(slot), tokenLabel ?? '', digest]);
    let refusals = this.#refusals.get(name);
    if (refusals === undefined) this.#refusals.set(name, (refusals = new PinRefusals(this.#options.random)));
    return refusals;
  }

  async #started(): Promise<ModuleProcess> {
    if (this.#closed) throw unavailable();
    if (this.#process?.alive === true) return this.#process;
    const { libraryEnv, log, clock } = this.#options;
    if (this.#failedStarts > 0) await clock.sleep(this.#backoff.next());
    this.#failedStarts += 1;
    this.#process = await ModuleProcess.start(libraryEnv, this.#timing.startMs, log, 'keys');
    if (this.#closed) {
      await this.#discard();
      throw unavailable();
    }
    this.#failedStarts = 0;
    this.#backoff.reset();
    return this.#process;
  }

  async #discard(): Promise<void> {
    const old = this.#process;
    this.#process = undefined;
    await old?.kill();
  }
}

function asHsmError(error: unknown): HsmError {
  if (error instanceof HsmError) return error;
  return new HsmError('ERR_HSM_AGENT_UNAVAILABLE', { cause: error, repair: 'process' });
}

function unavailable(): HsmError {
  return new HsmError('ERR_HSM_AGENT_UNAVAILABLE', { hint: 'the library of managed keys is closed' });
}
