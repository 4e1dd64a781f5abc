import { Backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { describeError, errorCode } from '../../lib/errors.ts';
import type { KeyRandom } from '../../lib/key-random.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { Audit } from '../audit/audit.ts';
import { Barrier } from '../barrier/barrier.ts';
import type { Physical } from '../physical/physical.ts';
import type { ProcessServices } from '../process/process.ts';
import { isHandover } from '../seal/handover.ts';
import { isHsmSeal, type Seal } from '../seal/seal.ts';
import { isShamir } from '../seal/shamir.ts';
import type {
  Health,
  InitOutcome,
  InitRequest,
  RawPort,
  SealStatus,
  UnsealRefusal,
  UnsealRequest,
} from '../sys/port.ts';
import type { SealBackendStatus } from '../sys/seal-port.ts';
import { createSys } from '../sys/sys.ts';
import { checkInit, initialize, repeatedInit } from './initialize.ts';
import { isSealed, type Lifecycle, type LifecycleEvent, transition } from './lifecycle.ts';
import type { LockoutRules } from './lockout.ts';
import type { BackendFactories } from './backend-factory.ts';
import { populator } from './populate.ts';
import { quorumSize } from './quorum/quorum.ts';
import { SealCare, type SealCareOptions } from './seal-care.ts';
import { SealMigration } from './seal-migration.ts';
import { SealMismatch } from './seal-proof.ts';
import { readSealConfig, readStoredKey } from './seal-store.ts';
import { ShareUnseal } from './share-unseal.ts';
import { sysPort } from './sys-port.ts';
import type { KeyLibrary } from '../seal/pkcs11/key-library.ts';
import { openVault, type Vault } from './vault.ts';

/**
 * Core joins the parts of the engine: it owns the lifecycle and the open vault, and nothing else keeps either.
 *
 * I1  It is there before the HSM is: every state answers sys/health and sys/seal-status.
 * I2  What the HSM does never ends the process; unsealing is tried again with back-off until it works, except
 *     where trying again does harm (a refused PIN).
 * I3  Initialization is one atomic write, and at most one is under way.
 * I4  After sys/seal the keys are forgotten and only recovery shares, or a restart, open the vault again.
 */
export interface CoreOptions extends SealCareOptions {
  readonly physical: Physical;
  readonly seal: Seal;
  /** The seal that the vault may still be under, and migrates away from. */
  readonly migrateFrom?: Seal | undefined;
  readonly factories: BackendFactories;
  /** By the names of their `kms_library` stanzas. */
  readonly keyLibraries?: ReadonlyMap<string, KeyLibrary>;
  readonly openAudit: (salt: Uint8Array) => Promise<Audit>;
  readonly clock: Clock;
  readonly random: Random;
  /** What keys and root tokens are made of. */
  readonly keyRandom: KeyRandom;
  readonly log: Logger;
  readonly version: string;
  readonly buildDate: string;
  /** Where clients reach this engine; empty when that is not known. */
  readonly apiAddress?: string;
  /** Undefined: made from the cluster's id. */
  readonly clusterName?: string | undefined;
  /** Headers of answers that the configuration file sets, in lower case. */
  readonly configuredHeaders?: () => readonly string[];
  readonly defaultLeaseTtl: number;
  readonly maxLeaseTtl: number;
  readonly userLockout?: LockoutRules;
  readonly requirePgpShares: boolean;
  readonly process: ProcessServices;
  readonly disableSealWrap: boolean;
  /** Whether sys/raw is served. */
  readonly rawStorage: boolean;
  /** When set, only a client with a verified certificate of this common name may initialize. */
  readonly initClientName: string | undefined;
}

const RETRY_MAX_MS = 30_000;

export class Core implements RawPort {
  readonly #options: CoreOptions;
  readonly #migration: SealMigration;
  readonly #shares: ShareUnseal;
  readonly #care: SealCare;
  readonly #stop = new AbortController();
  #lifecycle: Lifecycle = { state: 'uninitialized' };
  #vault: Vault | undefined;
  #unsealing: Promise<void> | undefined;
  #initializing = false;
  #trouble: { code: string; text: string } | undefined;

  constructor(options: CoreOptions) {
    this.#options = options;
    const { signal } = this.#stop;
    this.#migration = new SealMigration({ ...options, migrateFrom: options.migrateFrom, signal });
    this.#shares = new ShareUnseal({
      ...options,
      migration: this.#migration,
      signal,
      isInitialized: () => this.isInitialized(),
      isUnsealed: () => this.isUnsealed(),
      status: () => this.sealStatus(),
      open: () => this.#unsealOnce(),
    });
    this.#care = new SealCare(options, () => this.isUnsealed());
    const { metrics } = options.process;
    metrics.gauge('vault.core.unsealed', () => [[{}, this.isUnsealed() ? 1 : 0]]);
    metrics.gauge('vault.core.active', () => [[{}, this.isUnsealed() ? 1 : 0]]);
    metrics.gauge('vault.seal.unreachable', () => [[{}, options.seal.health().healthy ? 0 : 1]]);
  }

  get services(): ProcessServices {
    return this.#options.process;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** The open vault; undefined while sealed. */
  get vault(): Vault | undefined {
    return this.#vault;
  }

  /** Reads what is on the disk and begins to unseal, or to wait for an initialization. */
  async start(): Promise<void> {
    this.#care.start();
    const config = await readSealConfig(this.#options.physical);
    const byHsm = !isShamir(this.#options.seal);
    if (config !== undefined) {
      this.#move({ type: 'initialized' });
      await this.#migration.foresee().catch((err: unknown) => this.#report(err, true));
      if (byHsm) this.#startUnsealing();
      return;
    }
    this.#options.log.info({}, 'the vault is not initialized');
    if (!byHsm) return;
    this.#unsealing = this.#tryUntilStopped(async () => {
      if (this.#lifecycle.state !== 'uninitialized') return;
      // A key that initialization will generate may be missing now.
      await this.#openSeal(false).catch((error: unknown) => {
        if (errorCode(error) !== 'ERR_HSM_KEY_NOT_FOUND') throw error;
      });
    });
  }

  /** Ends everything in order; the storage is closed last. */
  async stop(): Promise<void> {
    this.#move({ type: 'stopped' });
    this.#stop.abort();
    await this.#unsealing;
    await this.#care.stop();
    const vault = this.#vault;
    this.#vault = undefined;
    await vault?.seal();
    await this.#options.seal.close();
    await this.#options.migrateFrom?.close();
    await this.#options.physical.close();
  }

  async isInitialized(): Promise<boolean> {
    return (await readSealConfig(this.#options.physical)) !== undefined;
  }

  async initialize(request: InitRequest): Promise<InitOutcome> {
    const { initClientName, log } = this.#options;
    if (initClientName !== undefined && request.clientName !== initClientName) {
      return { status: 403, refused: 'permission denied: only the operator may initialize this vault' };
    }
    if (await this.isInitialized()) return this.#alreadyInitialized(request);
    if (this.#initializing) return { status: 400, refused: 'an initialization is in progress' };
    this.#initializing = true;
    try {
      const options = { ...this.#options, populate: populator(this.#options) };
      const checked = await checkInit(request, options);
      if (typeof checked === 'string') return { status: 400, refused: checked };
      try {
        await this.#openSeal(true);
      } catch (error) {
        log.error({ err: error }, 'initialization failed: the seal cannot be used');
        return { status: 500, refused: `the seal cannot be used: ${describeError(error)}` };
      }
      const outcome = await initialize(checked, options);
      if (!('refused' in outcome)) {
        for (const warning of outcome.warnings) log.warn({}, warning);
        log.info({ shares: checked.split.shares }, 'the vault is initialized');
        this.#move({ type: 'initialized' });
        if (isShamir(this.#options.seal)) return outcome;
        // Whatever the unseal does, the answer with the shares goes out.
        await this.#unsealOnce().catch((err: unknown) => {
          log.error({ err }, 'the new vault did not unseal at once');
          this.#startUnsealing();
        });
      }
      return outcome;
    } finally {
      this.#initializing = false;
    }
  }

  sealBackendStatus(): Promise<SealBackendStatus> {
    return this.#care.status();
  }

  async renewCredentials({
    clientName,
    signal,
  }: Parameters<RawPort['renewCredentials']>[0]): ReturnType<RawPort['renewCredentials']> {
    const { initClientName, seal, log } = this.#options;
    if (initClientName === undefined || clientName !== initClientName)
      return { status: 403, refused: 'permission denied: only the operator may have credentials read anew' };
    if (!isHsmSeal(seal) || !(await seal.renewCredentials({ signal })))
      return {
        status: 400,
        refused: 'this engine holds slot and PIN itself, and does not read them twice: restart it',
      };
    log.info({}, 'the HSM agents read slot and PIN anew');
    return undefined;
  }

  async sealStatus(): Promise<SealStatus> {
    const { physical, seal, version, buildDate } = this.#options;
    const config = await readSealConfig(physical);
    const { from = seal } = this.#migration;
    const { shares, threshold } = await quorumSize({ ...this.#options, seal: from });
    const health = seal.health();
    const warnings = this.#trouble === undefined ? [] : [this.#trouble.text];
    // Before initialization, the key may be one that initialization will make.
    const expected = config === undefined && health.lastError?.code === 'ERR_HSM_KEY_NOT_FOUND';
    if (warnings.length === 0 && !health.healthy && health.lastError !== undefined && !expected) {
      const { message, hint } = health.lastError;
      warnings.push(hint === undefined ? message : `${message}: ${hint}`);
    }
    return {
      type: config?.type ?? seal.type,
      initialized: config !== undefined,
      sealed: isSealed(this.#lifecycle),
      t: threshold,
      n: shares,
      progress: this.#shares.progress,
      nonce: this.#shares.nonce,
      migration: this.#migration.from !== undefined,
      version,
      buildDate,
      storageType: physical.type,
      ...(this.#vault === undefined
        ? {}
        : { clusterName: this.#vault.cluster.name, clusterId: this.#vault.cluster.id }),
      warnings,
    };
  }

  unseal(request: UnsealRequest): Promise<SealStatus | UnsealRefusal> {
    return this.#shares.submit(request);
  }

  async health(): Promise<Health> {
    return {
      initialized: await this.isInitialized(),
      sealed: isSealed(this.#lifecycle),
      version: this.#options.version,
      serverTimeUtc: Math.floor(this.#options.clock.now() / 1000),
      ...(this.#vault === undefined
        ? {}
        : { clusterName: this.#vault.cluster.name, clusterId: this.#vault.cluster.id }),
    };
  }

  isUnsealed(): boolean {
    return !isSealed(this.#lifecycle);
  }

  /** Forgets the keys; the vault stays sealed until shares are given or the process restarts. */
  async seal(): Promise<void> {
    const vault = this.#vault;
    this.#move({ type: 'sealed' });
    this.#vault = undefined;
    if (isShamir(this.#options.seal)) this.#options.seal.forget();
    await vault?.seal();
  }

  async #alreadyInitialized(request: InitRequest): Promise<InitOutcome> {
    if (request.ceremonyId !== undefined) {
      if (this.#vault === undefined) return { status: 503, refused: 'Vault is sealed' };
      const repeated = await repeatedInit(request, this.#vault.barrier);
      if (repeated !== undefined) return repeated;
    }
    return { status: 400, refused: 'Vault is already initialized' };
  }

  #startUnsealing(): void {
    this.#move({ type: 'unseal-started' });
    this.#unsealing = this.#tryUntilStopped(async () => {
      if (this.#lifecycle.state !== 'unsealing') return;
      if (await this.#migration.isPending()) {
        this.#options.log.warn({}, 'a seal migration is pending: unseal with migrate and the old shares');
        this.#move({ type: 'sealed' });
      } else await this.#unsealOnce();
    });
  }

  // Never rejects: ends when the work succeeded or the process stops. Opening a seal again is safe even after a
  // refused PIN: the agent presents no PIN twice, and finds one that was corrected meanwhile.
  async #tryUntilStopped(work: () => Promise<void>): Promise<void> {
    const { clock, random, seal } = this.#options;
    const backoff = new Backoff({ initialMs: 250, maxMs: RETRY_MAX_MS, random });
    while (!this.#stop.signal.aborted) {
      try {
        await work();
        this.#trouble = undefined;
        return;
      } catch (err) {
        if (this.#stop.signal.aborted) return;
        const { terminal } = seal.health();
        this.#report(err, terminal);
        this.#move({ type: 'unseal-failed' });
        const delay = terminal ? RETRY_MAX_MS : backoff.next();
        await clock.sleep(delay, { signal: this.#stop.signal }).catch(() => undefined);
      }
    }
  }

  // One line a transition: the same trouble again is not news.
  #report(err: unknown, terminal: boolean): void {
    const code = errorCode(err) ?? 'unknown';
    if (this.#trouble?.code !== code) {
      this.#options.log.error(
        { err, retry: !terminal },
        terminal
          ? 'the vault stays sealed until the cause is removed'
          : 'the vault could not be unsealed yet',
      );
    }
    this.#trouble = { code, text: describeError(err) };
  }

  async #openSeal(allowGenerateKey: boolean): Promise<void> {
    await this.#options.seal.open({ signal: this.#stop.signal, allowGenerateKey });
  }

  async #unsealOnce(): Promise<void> {
    const { physical, seal, clock, log } = this.#options;
    const config = await readSealConfig(physical);
    const blob = await readStoredKey(physical);
    if (config === undefined || blob === undefined)
      throw new SealMismatch('the storage holds no wrapped root key');
    if (config.type !== seal.type) {
      throw new SealMismatch('the vault was sealed by another type of seal', {
        hint: `configure the seal that made it (${config.type}), or migrate`,
      });
    }
    const context = { clusterId: config.clusterId, purpose: 'root-key' } as const;
    const { signal } = this.#stop;
    if (isHandover(seal)) await seal.settle(blob, context, { signal });
    await this.#openSeal(false);
    using rootKey = await seal.unwrap(blob, context, { signal });
    const barrier = await Barrier.unseal(physical, rootKey);
    const vault = await this.#open(barrier, config.clusterId);
    if (this.#stop.signal.aborted) {
      await vault.seal();
      return;
    }
    this.#vault = vault;
    vault.startBackgroundWork();
    if (this.#lifecycle.state === 'sealed') this.#move({ type: 'unseal-started' });
    this.#move({ type: 'unsealed', at: clock.now() });
    this.#trouble = undefined;
    log.info({ clusterId: config.clusterId }, 'the vault is unsealed');
    await this.#care.unsealed(vault);
  }

  async #open(barrier: Barrier, clusterId: string): Promise<Vault> {
    const vault = await openVault({ ...this.#options, barrier, clusterId });
    const rewrap = this.#care.rewrapPort(vault);
    const port = sysPort(vault, { ...this.#options, rewrap }, () => this.seal());
    vault.mounts.install('sys/', createSys(port, this));
    return vault;
  }

  #move(event: LifecycleEvent): void {
    const before = this.#lifecycle;
    this.#lifecycle = transition(before, event);
    if (before.state !== this.#lifecycle.state)
      this.#options.log.debug({ from: before.state, to: this.#lifecycle.state }, 'lifecycle');
  }
}
