import { equalBytes, utf8 } from '../../lib/bytes.ts';
import type { Clock } from '../../lib/clock.ts';
import { SealedVaultError } from '../../lib/errors.ts';
import { plainKeyRandom } from '../../lib/key-random.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { Secret } from '../../lib/secret.ts';
import { Barrier } from '../barrier/barrier.ts';
import type { Storage } from '../logical/storage.ts';
import type { Physical } from '../physical/physical.ts';
import type { Seal } from '../seal/seal.ts';
import { isShamir } from '../seal/shamir.ts';
import type { Health, SealStatus } from '../sys/port.ts';
import type { GenerateRootPort } from '../sys/quorum-port.ts';
import { createGenerateRoot } from './quorum/generate-root.ts';
import { quorumSize } from './quorum/quorum.ts';
import { SealMigration } from './seal-migration.ts';
import { SealWrap } from './seal-wrap.ts';
import { readSealConfig, readStoredKey } from './seal-store.ts';

/**
 * Recovery mode (Vault: `server -recovery`): no mounts, no tokens, no audit, no background work; only the storage behind
 * the barrier, for repairing what keeps a vault from unsealing.
 *
 * I1  Nothing of the vault is opened or written by itself.
 * I2  The barrier is opened by a quorum only: recovery shares with the HSM, or unseal shares.
 * I3  There is one recovery token, in memory; another one takes its place, and it ends with the process.
 */
export interface RecoveryModeOptions {
  readonly physical: Physical;
  readonly seal: Seal;
  readonly migrateFrom: Seal | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly version: string;
  readonly buildDate: string;
  readonly requirePgp: boolean;
}

/** A storage that has no vault to recover. */
export class NothingToRecover extends SealedVaultError {
  override readonly code = 'ERR_BARRIER_NOT_INITIALIZED';
}

const signal: AbortSignal = new AbortController().signal;

export class RecoveryMode {
  readonly #options: RecoveryModeOptions;
  readonly #migration: SealMigration;
  #generate: Promise<GenerateRootPort> | undefined;
  #open: { readonly barrier: Barrier; readonly storage: Storage; readonly token: string } | undefined;

  constructor(options: RecoveryModeOptions) {
    this.#options = options;
    this.#migration = new SealMigration({ ...options, keyRandom: plainKeyRandom(options.random), signal });
    options.log.warn({}, 'recovery mode: only the raw storage is served, to whoever has the quorum');
  }

  /** What lies behind the barrier, for the holder of the recovery token. */
  storageFor(token: string): Storage | undefined {
    const open = this.#open;
    if (open === undefined || !equalBytes(utf8(token.padEnd(64)), utf8(open.token.padEnd(64))))
      return undefined;
    return open.storage;
  }

  /** The generation of the recovery token. @throws ERR_HSM_* when a migration is pending and the HSM cannot be asked */
  generate(): Promise<GenerateRootPort> {
    this.#generate ??= this.#seal().then((seal) =>
      createGenerateRoot({ ...this.#options, seal, issue: (_ttl, key) => this.#issue(seal, key) }),
    );
    this.#generate.catch(() => {
      this.#generate = undefined;
    });
    return this.#generate;
  }

  async health(): Promise<Health> {
    return {
      initialized: (await readSealConfig(this.#options.physical)) !== undefined,
      sealed: this.#open === undefined,
      version: this.#options.version,
      serverTimeUtc: Math.floor(this.#options.clock.now() / 1000),
    };
  }

  async sealStatus(): Promise<SealStatus> {
    const { physical, version, buildDate, seal } = this.#options;
    const config = await readSealConfig(physical);
    const { from = seal } = this.#migration;
    const { shares, threshold } = await quorumSize({ ...this.#options, seal: from });
    return {
      type: config?.type ?? seal.type,
      initialized: config !== undefined,
      sealed: this.#open === undefined,
      t: threshold,
      n: shares,
      progress: 0,
      nonce: '',
      migration: this.#migration.from !== undefined,
      version,
      buildDate,
      storageType: physical.type,
      warnings: ['the server runs in recovery mode'],
    };
  }

  async #seal(): Promise<Seal> {
    await this.#migration.isPending();
    return this.#migration.from ?? this.#options.seal;
  }

  async #issue(seal: Seal, key: Secret): Promise<{ text: string; revoke(): void }> {
    const { physical, random, clock, log } = this.#options;
    const config = await readSealConfig(physical);
    const blob = await readStoredKey(physical);
    if (config === undefined || blob === undefined)
      throw new NothingToRecover('the storage holds no wrapped root key');
    if (isShamir(seal)) seal.setKey(key);
    const { clusterId } = config;
    using rootKey = await seal.unwrap(blob, { clusterId, purpose: 'root-key' }, { signal });
    const barrier = await Barrier.unseal(physical, rootKey);
    this.#open?.barrier.seal();
    const token = `hvr.${random.base62(24)}`;
    const keyRandom = plainKeyRandom(random);
    const wrap = new SealWrap({ storage: barrier, seal, clusterId, keyRandom, clock, log, disabled: true });
    this.#open = { barrier, storage: wrap.raw(), token };
    log.warn({}, 'recovery mode: a recovery token was made');
    return {
      text: token,
      revoke: () => {
        this.#open?.barrier.seal();
        this.#open = undefined;
      },
    };
  }
}
