import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { Barrier } from '../barrier/barrier.ts';
import type { Physical } from '../physical/physical.ts';
import type { ProcessServices } from '../process/process.ts';
import { isHsmSeal, type Seal } from '../seal/seal.ts';
import type { RewrapPort, SealBackendStatus } from '../sys/seal-port.ts';
import { DEFAULT_SEAL_HEALTH, type SealHealthSettings, SealWatch } from './seal-health.ts';
import { pendingBlobs } from './ceremony/record.ts';
import { auditKey } from './seal-key-audit.ts';
import { hasStale, sealedSummary } from './seal-records.ts';
import { SealRewrap } from './seal-rewrap.ts';
import type { SealWrap, SealWrapArea } from './seal-wrap.ts';
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

/** An open vault, as far as what its seal wraps goes. */
export interface SealedByCare {
  readonly barrier: Barrier;
  readonly sealWrap: SealWrap;
  readonly mounts: { sealWrapAreas(): readonly SealWrapArea[] };
}

/** The seal while it is not used: its health, its key, and what is wrapped by which key. */
export class SealCare {
  readonly #options: SealCareOptions;
  readonly #stop = new AbortController();
  readonly #watch: SealWatch | undefined;
  readonly #rewrap: SealRewrap | undefined;
  readonly #isUnsealed: () => boolean;
  #vault: SealedByCare | undefined;

  constructor(options: SealCareOptions, isUnsealed: () => boolean) {
    const { seal, sealHealth: settings = DEFAULT_SEAL_HEALTH, process } = options;
    this.#options = options;
    this.#isUnsealed = isUnsealed;
    if (!isHsmSeal(seal)) return;
    this.#watch = new SealWatch({ ...options, seal, settings, metrics: process.metrics, isUnsealed });
    this.#rewrap = new SealRewrap({ ...options, seal });
    seal.onChange(() => {
      this.#rewrapStale().catch((err: unknown) => {
        options.log.warn({ err }, 'what an HSM missed could not be wrapped again');
      });
    });
  }

  start(): void {
    this.#watch?.start();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#watch?.stop();
    await this.#rewrap?.idle();
  }

  /** After each unseal: what is not wrapped by the keys of today is wrapped by them. Never rejects. */
  async unsealed(vault: SealedByCare): Promise<void> {
    this.#vault = vault;
    this.#watch?.unsealed();
    await this.#rewrapStale();
  }

  // Also when an HSM of several works again: it gets its part of what was wrapped without it.
  async #rewrapStale(): Promise<void> {
    const { seal, physical } = this.#options;
    const vault = this.#isUnsealed() ? this.#vault : undefined;
    if (!isHsmSeal(seal) || vault === undefined || this.#stop.signal.aborted) return;
    if (!(await hasStale(physical, seal, await sealedBehind(vault)))) return;
    await vault.sealWrap.rewrapKeys();
    await this.#rewrap?.run(vault.barrier, this.#stop.signal);
  }

  /** Of everything: what the HSM sealed, and the values of mounts with seal_wrap. */
  rewrapPort({ barrier, sealWrap, mounts }: SealedByCare): RewrapPort {
    return {
      status: () => {
        const values = sealWrap.status();
        const keys = this.#rewrap?.status() ?? { running: false, processed: 0, succeeded: 0, failed: 0 };
        return {
          running: values.running || keys.running,
          processed: values.processed + keys.processed,
          succeeded: values.succeeded + keys.succeeded,
          failed: values.failed + keys.failed,
        };
      },
      start: () => {
        if (this.#rewrap?.status().running === true || !sealWrap.startRewrap(mounts.sealWrapAreas()))
          return false;
        void this.#rewrap?.run(barrier, this.#stop.signal);
        return true;
      },
    };
  }

  async status(): Promise<SealBackendStatus> {
    const { seal, physical, sealName } = this.#options;
    this.#watch?.asked();
    const { healthy, unhealthySince, lastError } = seal.health();
    const initialized = (await readSealConfig(physical)) !== undefined;
    // Before initialization, the key may be one that initialization will make.
    const expected = !initialized && lastError?.code === 'ERR_HSM_KEY_NOT_FOUND';
    const state = { healthy, unhealthySince: expected ? undefined : unhealthySince };
    const vault = this.#isUnsealed() ? this.#vault : undefined;
    const behind = vault === undefined ? [] : await sealedBehind(vault);
    const summary = isHsmSeal(seal) ? await sealedSummary(physical, seal, behind) : undefined;
    const backends = isHsmSeal(seal)
      ? seal.backends()
      : [{ name: '', health: seal.health(), key: undefined }];
    const audits = backends.flatMap(({ key }) => (key === undefined ? [] : [auditKey(key)]));
    return {
      ...state,
      fullyWrapped: summary?.fullyWrapped ?? true,
      backends: backends.map(({ name, health, key }) => ({
        name: name || (sealName ?? seal.type),
        healthy: health.healthy,
        unhealthySince: expected ? undefined : health.unhealthySince,
        configured: !isHsmSeal(seal) || key !== undefined,
        disabled: false,
      })),
      restart: this.#watch?.outlook,
      // Of several keys, the one that is kept worst is what counts.
      key: audits.find(({ strong }) => !strong) ?? audits[0],
      // Some of what names a key is behind the barrier: while sealed, no count would be the whole one.
      references: vault === undefined ? undefined : summary?.references,
    };
  }
}

// What the HSM sealed and the barrier keeps.
async function sealedBehind({ sealWrap, barrier }: SealedByCare): Promise<Uint8Array[]> {
  return [...(await sealWrap.keyBlobs()), ...(await pendingBlobs(barrier))];
}
