import type { KeyObject } from 'node:crypto';
import { SealedVaultError } from '../../lib/errors.ts';
import type { Random } from '../../lib/random.ts';
import { Secret } from '../../lib/secret.ts';
import type { ListOptions, Physical, PhysicalOperation } from '../physical/physical.ts';
import { aesKey, Keyring, type RotationConfig } from './keyring.ts';
import { BarrierCorrupt, openRecord, recordTerm, sealRecord } from './record.ts';

/**
 * The barrier encrypts everything above physical storage. The root key opens the keyring, the keyring's data keys
 * open everything else; the seal alone knows how to get at the root key.
 *
 * I1  A sealed barrier has no way to read or write; after seal() an old reference refuses with ERR_BARRIER_SEALED.
 * I2  A record opens only at the path it was written for.
 * I3  A keyring is replaced in one atomic write; a crash leaves the old or the new one.
 * I4  Keys live as KeyObjects: they do not print, and only the keyring exports them.
 *
 * It must never hear of HSMs, tokens or requests.
 */
export const KEYRING_PATH = 'core/keyring';
const KEYRING_TERM = 1;

export class BarrierSealed extends SealedVaultError {
  override readonly code = 'ERR_BARRIER_SEALED';
  constructor() {
    super('the barrier is sealed');
  }
}

export class BarrierNotInitialized extends SealedVaultError {
  override readonly code = 'ERR_BARRIER_NOT_INITIALIZED';
  constructor() {
    super('the barrier is not initialized');
  }
}

export type BarrierOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: string };

/** What is known of the key that encrypts now. */
export interface KeyStatus {
  readonly term: number;
  readonly installTime: string;
  readonly encryptions: number;
}

/** An open barrier over untrusted storage. */
export class Barrier {
  readonly #physical: Physical;
  #keyring: Keyring | undefined;
  #encryptions = 0;
  #changes: Promise<unknown> = Promise.resolve();

  private constructor(physical: Physical, keyring: Keyring) {
    this.#physical = physical;
    this.#keyring = keyring;
  }

  /** Writes a new keyring under a new root key. The caller keeps the root key. */
  static async initialize(physical: Physical, rootKey: Secret, random: Random, now: Date): Promise<Barrier> {
    const root = aesKey(rootKey.clone());
    const data = aesKey(Secret.own(random.bytes(32)));
    const keyring = new Keyring(root, [
      { term: 1, key: data, installTime: now.toISOString(), encryptions: 0 },
    ]);
    const barrier = new Barrier(physical, keyring);
    await physical.write([{ type: 'put', key: KEYRING_PATH, value: encryptKeyring(keyring) }]);
    return barrier;
  }

  /** @throws ERR_BARRIER_NOT_INITIALIZED, ERR_BARRIER_CORRUPT when the root key is not the one */
  static async unseal(physical: Physical, rootKey: Secret): Promise<Barrier> {
    const record = await physical.get(KEYRING_PATH);
    if (record === undefined) throw new BarrierNotInitialized();
    const root = aesKey(rootKey.clone());
    using plaintext = Secret.own(openRecord(root, KEYRING_PATH, record));
    return new Barrier(physical, Keyring.deserialize(plaintext));
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const keyring = this.#open();
    const record = await this.#physical.get(key);
    if (record === undefined) return undefined;
    return openRecord(dataKey(keyring, record), key, record);
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.write([{ type: 'put', key, value }]);
  }

  async delete(key: string): Promise<void> {
    await this.write([{ type: 'delete', key }]);
  }

  /**
   * Encrypts and applies all operations atomically.
   * @param outside what is written as it is in the same atomic write: records that must be readable while sealed
   */
  async write(
    operations: readonly BarrierOperation[],
    outside: readonly PhysicalOperation[] = [],
  ): Promise<void> {
    const encrypted = this.#encrypt(this.#open(), operations);
    await this.#physical.write(outside.length === 0 ? encrypted : [...encrypted, ...outside]);
  }

  /**
   * Puts the keyring under a new root key; the data keys stay. One atomic write with all that goes with it.
   * @param rootKey the caller keeps ownership
   * @param outside what is written as it is; asked for in turn, so that it is wrapped by the seal of that moment
   */
  rekey(
    rootKey: Secret,
    operations: readonly BarrierOperation[],
    outside: () => Promise<readonly PhysicalOperation[]>,
  ): Promise<void> {
    return this.#exclusive(async () => {
      const records = await outside();
      const keyring = this.#open();
      const encrypted = this.#encrypt(keyring, operations);
      const counted = this.#encryptions;
      const next = keyring
        .with(keyring.rotation, keyring.active.encryptions + counted)
        .withRootKey(aesKey(rootKey.clone()));
      const record: PhysicalOperation = { type: 'put', key: KEYRING_PATH, value: encryptKeyring(next) };
      await this.#physical.write([...encrypted, ...records, record]);
      this.#replace(next);
      this.#encryptions -= counted;
    });
  }

  #encrypt({ active }: Keyring, operations: readonly BarrierOperation[]): PhysicalOperation[] {
    return operations.map((operation) => {
      if (operation.type === 'delete') return operation;
      this.#encryptions += 1;
      const { key, value } = operation;
      return { type: 'put', key, value: sealRecord(active.key, active.term, key, value) };
    });
  }

  /** Encrypts something that is kept elsewhere; it opens only in the same context. */
  encrypt(context: string, plaintext: Uint8Array): Uint8Array {
    const { active } = this.#open();
    this.#encryptions += 1;
    return sealRecord(active.key, active.term, context, plaintext);
  }

  /** @throws ERR_BARRIER_CORRUPT */
  decrypt(context: string, record: Uint8Array): Uint8Array {
    return openRecord(dataKey(this.#open(), record), context, record);
  }

  async list(prefix: string, options?: ListOptions): Promise<string[]> {
    this.#open();
    return this.#physical.list(prefix, options);
  }

  /** Installs a new data key under the next term; what exists stays readable. @returns the new status */
  rotate(random: Random, now: Date): Promise<KeyStatus> {
    return this.#exclusive(() => this.#rotate(random, now));
  }

  /** When the data key is replaced by itself. */
  rotation(): RotationConfig {
    return this.#open().rotation;
  }

  /** Changes when the data key is replaced by itself. */
  setRotation(rotation: RotationConfig): Promise<void> {
    return this.#exclusive(() => this.#save(rotation));
  }

  /** Rotates when the settings ask for it, else keeps the count of encryptions. @returns whether it rotated */
  rotateIfDue(random: Random, now: Date): Promise<boolean> {
    return this.#exclusive(async () => {
      const { rotation } = this.#open();
      const { encryptions, installTime } = this.keyStatus();
      const age = (now.getTime() - Date.parse(installTime)) * 1e6;
      const old = rotation.interval > 0 && age >= rotation.interval;
      if (!rotation.disabled && (old || encryptions >= rotation.maxOperations)) {
        await this.#rotate(random, now);
        return true;
      }
      if (this.#encryptions > 0) await this.#save(rotation);
      return false;
    });
  }

  async #save(rotation: RotationConfig): Promise<void> {
    const counted = this.#encryptions;
    const keyring = this.#open();
    const next = keyring.with(rotation, keyring.active.encryptions + counted);
    await this.#physical.write([{ type: 'put', key: KEYRING_PATH, value: encryptKeyring(next) }]);
    this.#replace(next);
    this.#encryptions -= counted;
  }

  // Sealed meanwhile: the keys stay forgotten.
  #replace(next: Keyring): void {
    if (this.#keyring !== undefined) this.#keyring = next;
  }

  /** Takes turns with every change of the keyring: for records outside that change together with it. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#exclusive(work);
  }

  // The keyring is one record: two changes at a time would lose one, and a lost key is lost data.
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#changes.then(work, work);
    this.#changes = turn.catch(() => undefined);
    return turn;
  }

  async #rotate(random: Random, now: Date): Promise<KeyStatus> {
    const keyring = this.#open().with(this.rotation(), this.keyStatus().encryptions);
    const next = keyring.withKey({
      term: keyring.active.term + 1,
      key: aesKey(Secret.own(random.bytes(32))),
      installTime: now.toISOString(),
      encryptions: 0,
    });
    await this.#physical.write([{ type: 'put', key: KEYRING_PATH, value: encryptKeyring(next) }]);
    this.#replace(next);
    this.#encryptions = 0;
    return this.keyStatus();
  }

  keyStatus(): KeyStatus {
    const { active } = this.#open();
    return {
      term: active.term,
      installTime: active.installTime,
      encryptions: active.encryptions + this.#encryptions,
    };
  }

  /** Forgets the keys. Later calls refuse. */
  seal(): void {
    this.#keyring = undefined;
  }

  #open(): Keyring {
    if (this.#keyring === undefined) throw new BarrierSealed();
    return this.#keyring;
  }
}

function dataKey(keyring: Keyring, record: Uint8Array): KeyObject {
  const key = keyring.keys.get(recordTerm(record));
  if (key === undefined) throw new BarrierCorrupt();
  return key.key;
}

function encryptKeyring(keyring: Keyring): Uint8Array {
  using plaintext = keyring.serialize();
  return plaintext.borrow((bytes) => sealRecord(keyring.rootKey, KEYRING_TERM, KEYRING_PATH, bytes));
}
