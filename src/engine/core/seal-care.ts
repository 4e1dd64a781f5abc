import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { Barrier } from '../barrier/barrier.ts';
import type { Physical } from '../physical/physical.ts';
import type { ProcessServices } from '../process/process.ts';
import { isHsmSeal, type Seal } from '../seal/seal.ts';
import type { RewrapPort, SealBackendStatus } from '../sys/seal-port.ts';
import { DEFAULT_SEAL_HEALTH, type SealHealthSettings, SealWatch } from './seal-health.ts';
import { auditKey } from './seal-key-audit.ts';
import { keyReferences } from './seal-records.ts';
import { SealRewrap } from './seal-rewrap.ts';
import { readSealConfig } from './seal-store.ts';

/** What core needs of itself for the care of its seal. */
export interface SealCareOptions {
  readonly seal: Seal;
  readonly physical: Physical;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly process: ProcessServices;
  /** As the status names the seal; its type when it has no name. */
  readonly sealName?: string;
  readonly sealHealth?: SealHealthSettings;
}

/** The seal while it is not used: its health, its key, and what is wrapped by which key. */
export class SealCare {
  readonly #options: SealCareOptions;
  readonly #stop = new AbortController();
  readonly #watch: SealWatch | undefined;
  readonly #rewrap: SealRewrap | undefined;

  constructor(options: SealCareOptions, isUnsealed: () => boolean) {
    const { seal, sealHealth: settings = DEFAULT_SEAL_HEALTH, process } = options;
    this.#options = options;
    if (!isHsmSeal(seal)) return;
    this.#watch = new SealWatch({ ...options, seal, settings, metrics: process.metrics, isUnsealed });
    this.#rewrap = new SealRewrap({ ...options, seal });
  }

  start(): void {
    this.#watch?.start();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#watch?.stop();
    await this.#rewrap?.idle();
  }

  /** After each unseal: what is wrapped by another key than the configured one moves to it. Never rejects. */
  async unsealed(barrier: Barrier): Promise<void> {
    const { seal, physical } = this.#options;
    this.#watch?.unsealed();
    if (!isHsmSeal(seal)) return;
    const references = await keyReferences(physical, seal, seal.key());
    const stale = references.some(({ current, records }) => !current && records > 0);
    if (stale) await this.#rewrap?.run(barrier, this.#stop.signal);
  }

  rewrapPort(barrier: Barrier): RewrapPort {
    const rewrap = this.#rewrap;
    return {
      status: () => rewrap?.status() ?? { running: false, processed: 0, succeeded: 0, failed: 0 },
      start: () => rewrap === undefined || rewrap.run(barrier, this.#stop.signal) !== undefined,
    };
  }

  async status(): Promise<SealBackendStatus> {
    const { seal, physical, sealName } = this.#options;
    this.#watch?.asked();
    const { healthy, unhealthySince, lastError } = seal.health();
    const key = isHsmSeal(seal) ? seal.key() : undefined;
    const initialized = (await readSealConfig(physical)) !== undefined;
    // Before initialization, the key may be one that initialization will make.
    const expected = !initialized && lastError?.code === 'ERR_HSM_KEY_NOT_FOUND';
    const state = { healthy, unhealthySince: expected ? undefined : unhealthySince };
    const references = isHsmSeal(seal) ? await keyReferences(physical, seal, key) : undefined;
    const configured = !isHsmSeal(seal) || key !== undefined;
    return {
      ...state,
      fullyWrapped: references?.every(({ current, records }) => current || records === 0) ?? true,
      backends: [{ name: sealName ?? seal.type, ...state, configured, disabled: false }],
      restart: this.#watch?.outlook,
      key: key === undefined ? undefined : auditKey(key),
      references: initialized ? references : undefined,
    };
  }
}
