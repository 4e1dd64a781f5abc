import { Backoff } from '../../../lib/backoff.ts';
import type { Clock } from '../../../lib/clock.ts';
import { Aborted } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/log.ts';
import type { Random } from '../../../lib/random.ts';
import { Secret } from '../../../lib/secret.ts';
import type { Seal, SealCallOptions, SealContext, SealHealth } from '../seal.ts';
import { type AgentPort, type AgentTiming, DEFAULT_TIMING } from './agent.ts';
import { contextBytes, decodeBlob, encodeBlob, isBlob } from './blob.ts';
import type { Pkcs11Config } from './config.ts';
import { HsmError } from './errors.ts';
import { type KeyReport, MAX_PLAINTEXT, MAX_RANDOM } from './protocol.ts';
import { RemoteAgent } from './remote.ts';
import { ModuleSupervisor } from './supervisor.ts';

/**
 * The PKCS#11 seal: wraps the root key by a key that never leaves an HSM.
 *
 *     engine ── pkcs11.ts ──┬── supervisor.ts ── channel ── agent/main.ts ── vendor library ── HSM
 *                           └── remote.ts ── unix socket ── sidecar.ts ── supervisor.ts ── …
 *
 * I1  A vendor's library is loaded by agent/main.ts only, in a process of its own: vendor libraries crash,
 *     hang and block, and a process is what can be killed.
 * I2  Every call has a deadline. A late answer ends the process that owes it (supervisor.ts).
 * I3  A refused PIN is presented once. Only a changed PIN is tried again.
 * I4  What is stored names its key, mechanism and hash, and opens in its own context only (blob.ts).
 * I5  PIN, root key and random bytes cross the processes as bytes, never as strings but for the log-in itself,
 *     and are wiped where they were. Node and the vendor's code keep copies that nobody can wipe.
 * I6  The environment of the PKCS#11 process has what vendor libraries read, and no PIN.
 *
 * It must never: retry a refused PIN, print a value of the configuration other than names, block the event loop.
 */
export interface Pkcs11SealOptions {
  readonly config: Pkcs11Config;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly timing?: AgentTiming;
  readonly probe?: ProbeTiming;
}

/** How often the seal proves itself after the first success, in milliseconds. */
export interface ProbeTiming {
  readonly healthyMs: number;
  /** First and longest interval while it is broken. */
  readonly brokenMs: number;
  readonly brokenMaxMs: number;
}

const DEFAULT_PROBE: ProbeTiming = { healthyMs: 60_000, brokenMs: 1_000, brokenMaxMs: 15_000 };

/** A seal that also tells of its key. */
export interface Pkcs11Seal extends Seal {
  readonly type: 'pkcs11';
  /** The root key's attributes. @throws ERR_HSM_* */
  keyReport(options: SealCallOptions): Promise<KeyReport>;
}

/** The seal opens nothing and starts nothing before its first call. */
export function createPkcs11Seal(options: Pkcs11SealOptions): Pkcs11Seal {
  const { config, log, clock, random, timing = DEFAULT_TIMING, probe = DEFAULT_PROBE } = options;
  const port =
    config.kind === 'agent'
      ? new RemoteAgent({ socketPath: config.socketPath, clock, random, timing })
      : new ModuleSupervisor({ config, log, clock, random, timing });
  return new AgentSeal(port, { log, clock, random, probe });
}

interface SealPorts {
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly probe: ProbeTiming;
}

class AgentSeal implements Pkcs11Seal {
  readonly type = 'pkcs11';
  readonly #port: AgentPort;
  readonly #ports: SealPorts;
  readonly #closing = new AbortController();
  #probing: Promise<void> | undefined;
  #health: SealHealth = { healthy: false, terminal: false };

  constructor(port: AgentPort, ports: SealPorts) {
    this.#port = port;
    this.#ports = ports;
  }

  async open(options: SealCallOptions & { allowGenerateKey: boolean }): Promise<void> {
    const { log, clock } = this.#ports;
    const from = clock.monotonic();
    const key = await this.#observe(() =>
      this.#port.call('open', { generateKey: options.allowGenerateKey }, options),
    );
    log.info(
      {
        mechanism: key.mechanism,
        keyLabel: key.keyLabel,
        keyId: key.keyId,
        generated: key.generated,
        durationMs: Math.round(clock.monotonic() - from),
      },
      'seal: the key on the HSM is ready',
    );
    if (key.attributes['extractable'] === true || key.attributes['sensitive'] === false) {
      log.warn(
        { keyLabel: key.keyLabel, keyId: key.keyId },
        'seal: the key on the HSM may be read out of it',
      );
    }
    this.#probing ??= this.#probe();
  }

  async wrap(plaintext: Secret, context: SealContext, options: SealCallOptions): Promise<Uint8Array> {
    checkLength(plaintext.length, MAX_PLAINTEXT);
    const copy = plaintext.borrow((bytes) => Uint8Array.from(bytes));
    try {
      const request = { plaintext: copy, aad: contextBytes(context) };
      return encodeBlob(await this.#observe(() => this.#port.call('wrap', request, options)));
    } finally {
      copy.fill(0);
    }
  }

  async unwrap(blob: Uint8Array, context: SealContext, options: SealCallOptions): Promise<Secret> {
    const request = { sealed: decodeBlob(blob), aad: contextBytes(context) };
    const { plaintext } = await this.#observe(() => this.#port.call('unwrap', request, options));
    return Secret.own(plaintext);
  }

  async wrote(blob: Uint8Array, options: SealCallOptions): Promise<boolean> {
    if (!isBlob(blob)) return false;
    const { keyLabel, keyId, checkValue } = decodeBlob(blob);
    const key = await this.keyReport(options);
    return keyLabel === key.keyLabel && keyId === key.keyId && checkValue === key.checkValue;
  }

  async random(length: number, options: SealCallOptions): Promise<Uint8Array> {
    checkLength(length, MAX_RANDOM);
    const { bytes } = await this.#observe(() => this.#port.call('random', { length }, options));
    if (bytes.length !== length)
      throw new HsmError('ERR_HSM_OPERATION', { hint: 'too few random bytes came' });
    return bytes;
  }

  async keyReport(options: SealCallOptions): Promise<KeyReport> {
    return this.#observe(() => this.#port.call('attributes', {}, options));
  }

  health(): SealHealth {
    return this.#health;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#port.close();
    await this.#probing;
  }

  async #probe(): Promise<void> {
    const { clock, random, probe } = this.#ports;
    const { signal } = this.#closing;
    const backoff = new Backoff({ initialMs: probe.brokenMs, maxMs: probe.brokenMaxMs, random });
    while (!signal.aborted) {
      const healthy = this.#health.healthy;
      if (healthy) backoff.reset();
      try {
        await clock.sleep(healthy ? probe.healthyMs * (0.9 + 0.2 * random.fraction()) : backoff.next(), {
          signal,
        });
        await this.#observe(() => this.#port.call('health', {}, { signal }));
      } catch {
        // Seen by health() and logged at the transition.
      }
    }
  }

  /** Keeps health() true: one log line a transition. */
  async #observe<T>(call: () => Promise<T>): Promise<T> {
    const { log, clock } = this.#ports;
    try {
      const result = await call();
      if (!this.#health.healthy && this.#health.lastError !== undefined)
        log.info({}, 'seal: the HSM works again');
      this.#health = { healthy: true, terminal: false };
      return result;
    } catch (error) {
      if (error instanceof Aborted || this.#closing.signal.aborted) throw error;
      if (error instanceof HsmError && error.code !== 'ERR_SEAL_BLOB') {
        const { code, message, hint } = error;
        if (this.#health.lastError?.code !== code)
          log.warn({ code, hint, terminal: error.terminal }, `seal: ${message}`);
        this.#health = {
          healthy: false,
          unhealthySince: this.#health.unhealthySince ?? clock.now(),
          lastError: { code, message, ...(hint === undefined ? {} : { hint }) },
          terminal: error.terminal,
        };
      }
      throw error;
    }
  }
}

// Before the agent sees it: what it cannot do is no fault of the HSM.
function checkLength(length: number, most: number): void {
  if (!Number.isInteger(length) || length < 1 || length > most) {
    throw new HsmError('ERR_HSM_OPERATION', { hint: `a length between 1 and ${most} bytes is possible` });
  }
}
