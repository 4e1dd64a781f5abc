import { Backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { Aborted, describeError, errorCode } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Physical } from '../physical/physical.ts';
import { HsmError } from '../seal/pkcs11/errors.ts';
import type { HsmSeal } from '../seal/seal.ts';
import type { RestartOutlook } from '../sys/seal-port.ts';
import { readSealConfig, readStoredKey } from './seal-store.ts';

/** How often the seal is proved; the names and defaults are those of Vault's seal stanza. Milliseconds. */
export interface SealHealthSettings {
  readonly enabled: boolean;
  readonly intervalMs: number;
  readonly unhealthyIntervalMs: number;
  readonly timeoutMs: number;
}

export const DEFAULT_SEAL_HEALTH: SealHealthSettings = {
  enabled: true,
  intervalMs: 600_000,
  unhealthyIntervalMs: 60_000,
  timeoutMs: 60_000,
};

/**
 * Knows how the HSM fares while the vault does without it: an encryption and a decryption now and then, and, while
 * unsealed, a rehearsal of the next start.
 *
 * I1  Nobody waits for a check, and none runs beside another.
 * I2  What breaks is looked at again with back-off up to the unhealthy interval; a call that fails meanwhile and
 *     whoever asks for the status bring the next look forward, to no more than one a second.
 * I3  A refused PIN is not presented again (the seal sees to it).
 */
export interface SealWatchOptions {
  readonly seal: HsmSeal;
  readonly physical: Physical;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly settings: SealHealthSettings;
  readonly isUnsealed: () => boolean;
}

const FIRST_RETRY_MS = 1_000;
const LEAST_GAP_MS = 1_000;

export class SealWatch {
  readonly #options: SealWatchOptions;
  readonly #stop = new AbortController();
  #alarm: AbortController | undefined;
  #running: Promise<void> | undefined;
  #outlook: RestartOutlook | undefined;

  constructor(options: SealWatchOptions) {
    const { seal, clock, metrics } = options;
    this.#options = options;
    metrics.gauge('vault.seal.unreachable.time', () => {
      const { unhealthySince } = seal.health();
      return [[{}, unhealthySince === undefined ? 0 : clock.now() - unhealthySince]];
    });
    seal.onChange(() => {
      if (this.#isBroken()) this.#alarm?.abort();
    });
  }

  /** Whether a restart would unseal; undefined while sealed. */
  get outlook(): RestartOutlook | undefined {
    return this.#options.isUnsealed() ? this.#outlook : undefined;
  }

  start(): void {
    if (this.#options.settings.enabled) this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** The seal was opened and the root key unwrapped: nothing proves more. */
  unsealed(): void {
    this.#outlook = { wouldFail: false };
  }

  /** Somebody wants to know: what is broken is looked at soon. */
  asked(): void {
    if (this.#isBroken()) this.#alarm?.abort();
  }

  // Until the seal was opened once, whoever opens it tries again by himself.
  #isBroken(): boolean {
    const { seal } = this.#options;
    return seal.key() !== undefined && (!seal.health().healthy || this.outlook?.wouldFail === true);
  }

  async #run(): Promise<void> {
    const { seal, settings, random } = this.#options;
    const backoff = new Backoff({ initialMs: FIRST_RETRY_MS, maxMs: settings.unhealthyIntervalMs, random });
    while (!this.#stop.signal.aborted) {
      const broken = this.#isBroken();
      if (!broken) backoff.reset();
      this.#alarm = new AbortController();
      const { signal } = this.#alarm;
      await this.#pause(LEAST_GAP_MS);
      await this.#pause(
        broken ? backoff.next() : settings.intervalMs * (0.9 + 0.2 * random.fraction()),
        signal,
      );
      this.#alarm = undefined;
      if (!this.#stop.signal.aborted && seal.key() !== undefined) await this.#check();
    }
  }

  async #check(): Promise<void> {
    const { seal, settings } = this.#options;
    const { signal } = this.#stop;
    try {
      await seal.prove({ signal, timeoutMs: settings.timeoutMs });
      await seal.keyReport({ signal });
    } catch (error) {
      this.#expect(error);
      return;
    }
    if (!this.#options.isUnsealed()) return;
    try {
      await this.#rehearse();
      this.#expect(undefined);
    } catch (error) {
      this.#expect(error);
    }
  }

  async #rehearse(): Promise<void> {
    const { seal, physical } = this.#options;
    const config = await readSealConfig(physical);
    const blob = await readStoredKey(physical);
    if (config === undefined || blob === undefined)
      throw new HsmError('ERR_SEAL_BLOB', { hint: 'the storage holds no wrapped root key' });
    const context = { clusterId: config.clusterId, purpose: 'root-key' } as const;
    await seal.rehearse(blob, context, { signal: this.#stop.signal });
  }

  // One line a transition.
  #expect(error: unknown): void {
    if (error instanceof Aborted) return;
    const { log } = this.#options;
    const before = this.#outlook;
    if (error === undefined) {
      this.#outlook = { wouldFail: false };
      if (before?.wouldFail === true) log.info({}, 'a restart would unseal this vault again');
      return;
    }
    const code = errorCode(error) ?? 'unknown';
    this.#outlook = { wouldFail: true, code, message: describeError(error) };
    if (this.#options.isUnsealed() && (before?.wouldFail !== true || before.code !== code))
      log.warn({ code, reason: describeError(error) }, 'a restart would not unseal this vault now');
  }

  async #pause(ms: number, alarm?: AbortSignal): Promise<void> {
    const stop = this.#stop.signal;
    const signal = alarm === undefined ? stop : AbortSignal.any([stop, alarm]);
    await this.#options.clock.sleep(ms, { signal }).catch(() => undefined);
  }
}
