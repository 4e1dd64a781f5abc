import { errorCode } from '../../lib/errors.ts';
import type { KeyRandom } from '../../lib/key-random.ts';
import type { Logger } from '../../lib/log.ts';
import type { Secret } from '../../lib/secret.ts';
import { isBreakGlass } from '../seal/break-glass.ts';
import { isHsmSeal, type Seal } from '../seal/seal.ts';
import { createShamirSeal, isShamir } from '../seal/shamir.ts';
import type { MigrationPlan } from '../sys/port.ts';
import { commitMigration, type MigrationSides, plannedActions } from './migration-commit.ts';
import type { QuorumPorts } from './quorum/quorum.ts';
import { configOf, openRootKey, proven, proveWrapping, rootKeyOf, SealMismatch } from './seal-proof.ts';
import { readSealConfig, readStoredKey } from './seal-store.ts';

/**
 * From one seal to another, as the configuration says (Vault: Seal migration): the seal of the enabled block takes over
 * from the one that the storage names.
 *
 * I1  Nothing is touched before both seals have proven themselves: the old one by the stored root key, which opens the
 *     keyring, the new one by a real wrap and unwrap.
 * I2  The switch is one atomic write: a crash leaves a vault of the old seal or one of the new seal.
 * I3  While a migration is pending nothing unseals by itself.
 */
export interface MigrationPorts extends QuorumPorts {
  /** The seal of the disabled block. */
  readonly migrateFrom: Seal | undefined;
  /** What a new root key is made of. */
  readonly keyRandom: KeyRandom;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export class SealMigration {
  readonly #ports: MigrationPorts;
  #from: Seal | undefined;
  #impossible: SealMismatch | undefined;
  #done = false;

  constructor(ports: MigrationPorts) {
    this.#ports = ports;
  }

  /** The seal that the vault is still under; undefined when no migration is pending. */
  get from(): Seal | undefined {
    return this.#from;
  }

  /**
   * Compares storage and configuration, without asking an HSM: of two HSM seals, the old one counts until the new one
   * is found to have made the stored key.
   * @throws ERR_SEAL_MISMATCH when there is no way from the one to the other
   */
  async foresee(): Promise<boolean> {
    const { physical, seal, migrateFrom, random } = this.#ports;
    const stored = (await readSealConfig(physical))?.type;
    if (
      this.#done ||
      stored === undefined ||
      (stored === seal.type && (isShamir(seal) || migrateFrom === undefined))
    )
      this.#from = undefined;
    else if (stored === 'shamir') this.#from = createShamirSeal(random);
    else if (migrateFrom !== undefined) this.#from = migrateFrom;
    else {
      this.#impossible = new SealMismatch(
        'cannot seal migrate from "pkcs11" to Shamir, no disabled seal in configuration',
        {
          hint: 'the vault is sealed by an HSM: configure its seal block, with disabled = "true" to migrate to Shamir',
        },
      );
      throw this.#impossible;
    }
    return this.#from !== undefined;
  }

  /** @throws ERR_SEAL_MISMATCH when storage and configuration were found not to belong together */
  assertPossible(): void {
    if (this.#impossible !== undefined) throw this.#impossible;
  }

  /** As foresee, and asks the new HSM seal whether it has taken over already. @throws ERR_HSM_* too */
  async isPending(): Promise<boolean> {
    const { physical, seal, signal } = this.#ports;
    if (!(await this.foresee())) return false;
    if (!isHsmSeal(seal) || this.#from === undefined || isShamir(this.#from)) return true;
    const config = await readSealConfig(physical);
    const blob = await readStoredKey(physical);
    if (config === undefined || blob === undefined) return false;
    try {
      await seal.open({ signal, allowGenerateKey: false });
      if (!(await seal.wrote(blob, { signal }))) return true;
      using _rootKey = await seal.unwrap(blob, rootKeyOf(config), { signal });
    } catch (error) {
      const code = errorCode(error);
      if (code === 'ERR_HSM_KEY_NOT_FOUND' || code === 'ERR_SEAL_BLOB') return true;
      throw error;
    }
    this.#from = undefined;
    return false;
  }

  /** Proves both seals and says what would be done; changes nothing, on the HSM neither. */
  async rehearse(key: Secret): Promise<MigrationPlan> {
    const { seal } = this.#ports;
    const from = this.#pending();
    const old = await proven(from, async () => (await this.#proveOld(from, key))[Symbol.dispose]());
    const next = await proven(seal, async () => {
      await this.#proveNew(key, false);
    });
    return { ready: old.proven && next.proven, from: old, to: next, actions: plannedActions(from, seal) };
  }

  /**
   * Puts the vault under the new seal.
   * @param key of the old seal's quorum, already checked; the caller keeps it
   * @throws ERR_HSM_*, ERR_SEAL_BLOB, ERR_PHYSICAL: the vault is under the old seal then
   */
  async carryOut(key: Secret): Promise<void> {
    const { log, seal, physical, keyRandom, signal } = this.#ports;
    const from = this.#pending();
    const config = await configOf(physical);
    using rootKey = await this.#proveOld(from, key);
    const to = await this.#proveNew(key, true);
    const sides: MigrationSides = { from, to, config, rootKey, key };
    await commitMigration({ physical, random: keyRandom, signal }, sides);
    this.#done = true;
    this.#from = undefined;
    if (isShamir(from) || isBreakGlass(from)) from.forget();
    if (isShamir(seal)) seal.setKey(key);
    log.info({ from: from.type, to: to.type }, 'the vault is under its new seal');
  }

  #pending(): Seal {
    if (this.#from === undefined) throw new SealMismatch('no migration seal found');
    return this.#from;
  }

  async #proveOld(from: Seal, key: Secret): Promise<Secret> {
    if (isShamir(from) || isBreakGlass(from)) from.setKey(key);
    return openRootKey(this.#ports, from);
  }

  async #proveNew(key: Secret, allowGenerateKey: boolean): Promise<Seal> {
    const { seal, random } = this.#ports;
    let to = seal;
    if (isShamir(seal)) {
      const shamir = createShamirSeal(random);
      shamir.setKey(key);
      to = shamir;
    }
    await proveWrapping(this.#ports, to, allowGenerateKey);
    return to;
  }
}
