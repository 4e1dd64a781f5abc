import { describeError, errorCode } from '../../lib/errors.ts';
import { KeyedMutex } from '../../lib/keyed-mutex.ts';
import type { Secret } from '../../lib/secret.ts';
import type { Seal } from '../seal/seal.ts';
import { isShamir } from '../seal/shamir.ts';
import type { SealStatus, UnsealRefusal, UnsealRequest } from '../sys/port.ts';
import { isQuorumKey, type QuorumPorts, quorumSize } from './quorum/quorum.ts';
import { parseShare, ShareSet } from './quorum/share-set.ts';
import type { SealMigration } from './seal-migration.ts';

/** What unsealing by shares needs of core. */
export interface ShareUnsealPorts extends QuorumPorts {
  readonly migration: SealMigration;
  readonly signal: AbortSignal;
  isInitialized(): Promise<boolean>;
  isUnsealed(): boolean;
  status(): Promise<SealStatus>;
  /** Opens the vault by the seal that is in force. */
  open(): Promise<void>;
}

type Outcome = SealStatus | UnsealRefusal;

/**
 * `sys/unseal`: collects shares until their quorum is there, then unseals, migrates, or rehearses a migration.
 * One share at a time; shares are wiped when the quorum is complete, whatever the outcome.
 */
export class ShareUnseal {
  readonly #ports: ShareUnsealPorts;
  readonly #shares = new ShareSet();
  readonly #turns = new KeyedMutex();
  #nonce = '';
  #dryRun = false;

  constructor(ports: ShareUnsealPorts) {
    this.#ports = ports;
  }

  get progress(): number {
    return this.#shares.size;
  }

  /** Of the attempt; empty when there is none. */
  get nonce(): string {
    return this.#shares.size === 0 ? '' : this.#nonce;
  }

  submit(request: UnsealRequest): Promise<Outcome> {
    return this.#turns.run('unseal', () => this.#submit(request));
  }

  async #submit({ key, reset, migrate, dryRun }: UnsealRequest): Promise<Outcome> {
    const { migration, random, ...ports } = this.#ports;
    if (!(await this.#ports.isInitialized())) return { refused: 'Vault is not initialized' };
    const sealed = !this.#ports.isUnsealed();
    if (reset) {
      if (!sealed) return { refused: 'vault is unsealed' };
      this.#shares.clear();
      return this.#ports.status();
    }
    if (key === '')
      return { refused: "'key' must be specified in request body as JSON, or 'reset' set to true" };
    // What makes a migration impossible is said to whoever brings a share.
    if (sealed) migration.assertPossible();
    const { from } = migration;
    if (migrate && from === undefined) return { refused: 'no migration seal found' };
    if (dryRun && !migrate) return { refused: 'dry_run is for a migration: give migrate as well' };
    if (!sealed) return this.#ports.status();
    if (!migrate && from !== undefined)
      return { status: 500, refused: 'migrate option not provided and seal migration is pending' };
    if (this.#shares.size > 0 && this.#dryRun !== dryRun)
      return {
        refused: `the shares given so far are ${this.#dryRun ? '' : 'not '}for a dry run: go on as they were meant, or reset`,
      };
    const share = parseShare(key);
    if ('refused' in share) return share;
    if (this.#shares.size === 0) this.#nonce = random.uuid();
    this.#dryRun = dryRun;
    this.#shares.add(share);
    const quorum = { ...ports, random, seal: from ?? ports.seal };
    const { threshold } = await quorumSize(quorum);
    if (threshold === 0) {
      this.#shares.clear();
      return {
        refused: `this vault has no recovery key: ${from === undefined ? 'restart it to unseal by the HSM' : 'go back to the old seal and make one by sys/rotate/recovery/init'}`,
      };
    }
    if (this.#shares.size < threshold) return this.#ports.status();
    return this.#complete(quorum, from);
  }

  async #complete(quorum: QuorumPorts, from: Seal | undefined): Promise<Outcome> {
    const { signal } = this.#ports;
    const wrong: Outcome = {
      refused: isShamir(quorum.seal)
        ? 'unable to retrieve stored keys: invalid key: failed to decrypt keys from storage: the unseal key shares are not the right ones'
        : 'recovery key verification failed: the recovery shares are not the right ones',
    };
    try {
      using key = await this.#shares.combine();
      if (!(await isQuorumKey(quorum, key, signal))) return wrong;
      return await (from === undefined ? this.#unseal(key) : this.#migrate(key));
    } catch (error) {
      if (errorCode(error) === 'ERR_SHARES') return wrong;
      const { seal } = this.#ports;
      if (isShamir(seal) && !this.#ports.isUnsealed()) seal.forget();
      throw error;
    }
  }

  async #unseal(key: Secret): Promise<Outcome> {
    const { seal } = this.#ports;
    if (isShamir(seal)) seal.setKey(key);
    if (!this.#ports.isUnsealed()) await this.#ports.open();
    return this.#ports.status();
  }

  async #migrate(key: Secret): Promise<Outcome> {
    const { migration } = this.#ports;
    if (this.#dryRun) {
      const plan = await migration.rehearse(key);
      return { ...(await this.#ports.status()), plan };
    }
    try {
      await migration.carryOut(key);
    } catch (error) {
      return {
        status: 500,
        refused: `the migration was not carried out, the vault is under its old seal: ${describeError(error)}`,
      };
    }
    await this.#ports.open();
    return this.#ports.status();
  }
}
