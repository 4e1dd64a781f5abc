import { equalBytes } from '../../../lib/bytes.ts';
import type { Clock } from '../../../lib/clock.ts';
import { Aborted } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/log.ts';
import type { Random } from '../../../lib/random.ts';
import { Secret } from '../../../lib/secret.ts';
import type {
  HsmSeal,
  SealBackendState,
  SealCallOptions,
  SealContext,
  SealHealth,
  SealKeyName,
  SealMeter,
} from '../seal.ts';
import { type AgentPort, type AgentTiming, DEFAULT_TIMING } from './agent.ts';
import { contextBytes, decodeBlob, encodeBlob, isBlob } from './blob.ts';
import type { Pkcs11Config } from './config.ts';
import type { EarlyProcess } from './early.ts';
import { HsmError } from './errors.ts';
import { type KeyReport, MAX_PLAINTEXT, MAX_RANDOM } from './protocol.ts';
import { RemoteAgent } from './remote.ts';
import { ModulePool } from './pool.ts';
import { unpackVaultKey } from './vault-blob.ts';

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
  readonly meter?: SealMeter;
  /** A PKCS#11 process that was started before. */
  readonly early?: EarlyProcess;
}

/** A seal behind an HSM, with all that the HSM says of its key. */
export interface Pkcs11Seal extends HsmSeal {
  key(): KeyReport | undefined;
  /** @throws ERR_HSM_* */
  keyReport(options: SealCallOptions): Promise<KeyReport>;
}

/** The seal opens nothing and starts nothing before its first call. */
export function createPkcs11Seal(options: Pkcs11SealOptions): Pkcs11Seal {
  const { config, log, clock, random, meter = () => undefined } = options;
  const timing = options.timing ?? { ...DEFAULT_TIMING, ...config.timing };
  const port =
    config.kind === 'agent'
      ? new RemoteAgent({ ...config, clock, random, timing })
      : new ModulePool({
          config,
          log,
          clock,
          random,
          timing,
          ...(options.early === undefined ? {} : { early: options.early }),
        });
  return new AgentSeal(port, { log, clock, random, meter });
}

const SELF_TEST: SealContext = { clusterId: '', purpose: 'self-test' };

interface SealPorts {
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly meter: SealMeter;
}

class AgentSeal implements Pkcs11Seal {
  readonly type = 'pkcs11';
  readonly #port: AgentPort;
  readonly #ports: SealPorts;
  readonly #closing = new AbortController();
  readonly #listeners: (() => void)[] = [];
  #health: SealHealth = { healthy: false, terminal: false };
  #key: KeyReport | undefined;

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
    this.#key = key;
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
  }

  async wrap(plaintext: Secret, context: SealContext, options: SealCallOptions): Promise<Uint8Array> {
    checkLength(plaintext.length, MAX_PLAINTEXT);
    const copy = plaintext.borrow((bytes) => Uint8Array.from(bytes));
    try {
      return await this.#observe(() => this.#encrypt(copy, context, options));
    } finally {
      copy.fill(0);
    }
  }

  async unwrap(blob: Uint8Array, context: SealContext, options: SealCallOptions): Promise<Secret> {
    return this.#observe(() => this.#decrypt(blob, context, options));
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
    const key = await this.#observe(() => this.#port.call('attributes', {}, options));
    this.#key = key;
    return key;
  }

  key(): KeyReport | undefined {
    return this.#key;
  }

  async prove({ signal, timeoutMs }: SealCallOptions & { readonly timeoutMs: number }): Promise<void> {
    const late = AbortSignal.timeout(timeoutMs);
    const call = { signal: AbortSignal.any([signal, late]) };
    await this.#observe(async () => {
      const sample = this.#ports.random.bytes(32);
      try {
        using back = await this.#decrypt(await this.#encrypt(sample, SELF_TEST, call), SELF_TEST, call);
        if (!back.borrow((bytes) => equalBytes(bytes, sample))) throw new HsmError('ERR_HSM_SELF_TEST');
      } catch (cause) {
        if (late.aborted && cause instanceof Aborted) {
          const hint = `the health check took longer than ${timeoutMs} ms`;
          throw new HsmError('ERR_HSM_TIMEOUT', { cause, hint });
        }
        if (cause instanceof HsmError && cause.code === 'ERR_SEAL_BLOB')
          throw new HsmError('ERR_HSM_SELF_TEST', { cause });
        throw cause;
      }
    });
  }

  async rehearse(blob: Uint8Array, context: SealContext, options: SealCallOptions): Promise<void> {
    const request = { sealed: decodeBlob(blob), aad: contextBytes(context) };
    await this.#port.call('rehearse', request, options);
  }

  keysOf(blob: Uint8Array): readonly SealKeyName[] {
    return [decodeBlob(blob)];
  }

  backends(): readonly SealBackendState[] {
    return [{ name: '', health: this.#health, key: this.#key }];
  }

  breakGlass(publicKey: string | undefined): void {
    if (publicKey !== undefined) throw new TypeError('a seal of one HSM alone has no room for another part');
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  health(): SealHealth {
    return this.#health;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#port.close();
  }

  async renewCredentials(options: SealCallOptions): Promise<boolean> {
    if (this.#port.renew === undefined) return false;
    await this.#port.renew(options);
    return true;
  }

  async #encrypt(plaintext: Uint8Array, context: SealContext, options: SealCallOptions): Promise<Uint8Array> {
    const request = { plaintext, aad: contextBytes(context) };
    return encodeBlob(await this.#measure('encrypt', this.#port.call('wrap', request, options)));
  }

  async #decrypt(blob: Uint8Array, context: SealContext, options: SealCallOptions): Promise<Secret> {
    const request = { sealed: decodeBlob(blob), aad: contextBytes(context) };
    const { plaintext } = await this.#measure('decrypt', this.#port.call('unwrap', request, options));
    return Secret.own(request.sealed.mechanism === 'CKM_AES_CBC_PAD' ? unpackVaultKey(plaintext) : plaintext);
  }

  async #measure<T>(operation: 'encrypt' | 'decrypt', call: Promise<T>): Promise<T> {
    const { clock, meter } = this.#ports;
    const from = clock.monotonic();
    let failed = true;
    try {
      const result = await call;
      failed = false;
      return result;
    } finally {
      meter(operation, clock.monotonic() - from, failed);
    }
  }

  /** Keeps health() true: one log line a transition. */
  async #observe<T>(call: () => Promise<T>): Promise<T> {
    const { log, clock } = this.#ports;
    try {
      const result = await call();
      if (!this.#health.healthy && this.#health.lastError !== undefined)
        log.info({}, 'seal: the HSM works again');
      this.#become({ healthy: true, terminal: false });
      return result;
    } catch (error) {
      if (error instanceof Aborted || this.#closing.signal.aborted) throw error;
      if (error instanceof HsmError && error.code !== 'ERR_SEAL_BLOB') {
        const { code, message, hint } = error;
        if (this.#health.lastError?.code !== code)
          log.warn({ code, hint, terminal: error.terminal }, `seal: ${message}`);
        this.#become({
          healthy: false,
          unhealthySince: this.#health.unhealthySince ?? clock.now(),
          lastError: { code, message, ...(hint === undefined ? {} : { hint }) },
          terminal: error.terminal,
        });
      }
      throw error;
    }
  }

  #become(health: SealHealth): void {
    const changed = health.healthy !== this.#health.healthy;
    this.#health = health;
    if (changed) for (const listener of this.#listeners) listener();
  }
}

// Before the agent sees it: what it cannot do is no fault of the HSM.
function checkLength(length: number, most: number): void {
  if (!Number.isInteger(length) || length < 1 || length > most) {
    throw new HsmError('ERR_HSM_OPERATION', { hint: `a length between 1 and ${most} bytes is possible` });
  }
}
