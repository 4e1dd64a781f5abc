import { createSecretKey, type KeyObject } from 'node:crypto';
import { fromBase64, toBase64 } from '../../lib/bytes.ts';
import type { KeyRandom } from '../../lib/key-random.ts';
import { Secret } from '../../lib/secret.ts';
import { BarrierCorrupt } from '../barrier/record.ts';
import { getJson, jsonPut, type Storage, type StorageOperation } from '../logical/storage.ts';
import type { Seal, SealContext } from '../seal/seal.ts';
import { isShamir } from '../seal/shamir.ts';

/**
 * The keys of seal wrap, by epoch: `core/seal-wrap/<epoch>` has a key that the seal wrapped, or, in a vault that went back
 * to Shamir, the key itself. Once unwrapped, a key stays in memory until the vault is sealed.
 */
type StoredKey = { readonly blob: string } | { readonly key: string };

export interface EpochKey {
  readonly epoch: number;
  readonly key: KeyObject;
}

export interface EpochKeyPorts {
  readonly storage: Storage;
  readonly seal: Seal;
  readonly clusterId: string;
  readonly keyRandom: KeyRandom;
  readonly signal: AbortSignal;
}

const PREFIX = 'core/seal-wrap/';

export class EpochKeys {
  readonly #ports: EpochKeyPorts;
  readonly #known = new Map<number, KeyObject>();
  #active: Promise<EpochKey> | undefined;

  constructor(ports: EpochKeyPorts) {
    this.#ports = ports;
  }

  /** The key of an epoch; asks the HSM the first time. @throws ERR_HSM_*, ERR_SEAL_BLOB, ERR_BARRIER_CORRUPT */
  async get(epoch: number): Promise<KeyObject> {
    const known = this.#known.get(epoch);
    if (known !== undefined) return known;
    const { storage, seal, clusterId, signal } = this.#ports;
    const stored = await getJson<StoredKey>(storage, PREFIX + epoch);
    if (stored === undefined) throw new BarrierCorrupt();
    using secret = await open(stored, seal, clusterId, signal);
    return this.#remember(epoch, secret);
  }

  /** The key that new values are wrapped by; made when there is none. @throws as get, ERR_ENTROPY */
  active(): Promise<EpochKey> {
    this.#active ??= this.#newest().catch((error: unknown) => {
      this.#active = undefined;
      throw error;
    });
    return this.#active;
  }

  epochs(): Promise<number[]> {
    return epochsIn(this.#ports.storage);
  }

  /** The keys as the HSM sealed them; none behind a Shamir seal. */
  async blobs(): Promise<Uint8Array[]> {
    const { storage } = this.#ports;
    const stored = await Promise.all(
      (await this.epochs()).map((epoch) => getJson<StoredKey>(storage, PREFIX + epoch)),
    );
    return stored.flatMap((each) =>
      each === undefined || !('blob' in each) ? [] : [fromBase64(each.blob) ?? new Uint8Array()],
    );
  }

  /** Wraps a key by the seal's current key, if another one does. @throws ERR_HSM_*, ERR_SEAL_BLOB */
  async rewrap(epoch: number): Promise<void> {
    if (await this.#isCurrent(epoch)) return;
    const { storage, seal, clusterId, signal } = this.#ports;
    const stored = await getJson<StoredKey>(storage, PREFIX + epoch);
    if (stored === undefined) return;
    using secret = await open(stored, seal, clusterId, signal);
    await storage.write([jsonPut(PREFIX + epoch, await close(secret, seal, clusterId, signal))]);
  }

  /** Forgets the keys. */
  clear(): void {
    this.#known.clear();
    this.#active = undefined;
  }

  async #isCurrent(epoch: number): Promise<boolean> {
    const { storage, seal, signal } = this.#ports;
    const stored = await getJson<StoredKey>(storage, PREFIX + epoch);
    if (stored === undefined || isShamir(seal)) return true;
    return 'blob' in stored && seal.wrote(fromBase64(stored.blob) ?? new Uint8Array(), { signal });
  }

  async #newest(): Promise<EpochKey> {
    const { storage, seal, clusterId, keyRandom, signal } = this.#ports;
    const newest = Math.max(0, ...(await this.epochs()));
    if (newest > 0) return { epoch: newest, key: await this.get(newest) };
    await keyRandom.ready();
    using secret = Secret.own(keyRandom.bytes(32));
    await storage.write([jsonPut(`${PREFIX}1`, await close(secret, seal, clusterId, signal))]);
    return { epoch: 1, key: this.#remember(1, secret) };
  }

  #remember(epoch: number, secret: Secret): KeyObject {
    const key = secret.borrow((bytes) => createSecretKey(bytes));
    this.#known.set(epoch, key);
    return key;
  }
}

/** What a migration of the seal writes behind the barrier, so that wrapped values stay readable under the new seal. */
export async function migratedEpochKeys(
  storage: Storage,
  { from, to, clusterId }: { readonly from: Seal; readonly to: Seal; readonly clusterId: string },
  signal: AbortSignal,
): Promise<StorageOperation[]> {
  const operations: StorageOperation[] = [];
  for (const epoch of await epochsIn(storage)) {
    const stored = await getJson<StoredKey>(storage, PREFIX + epoch);
    if (stored === undefined) continue;
    using secret = await open(stored, from, clusterId, signal);
    operations.push(jsonPut(PREFIX + epoch, await close(secret, to, clusterId, signal)));
  }
  return operations;
}

async function epochsIn(storage: Storage): Promise<number[]> {
  return (await storage.list(PREFIX)).map(Number);
}

async function open(stored: StoredKey, seal: Seal, clusterId: string, signal: AbortSignal): Promise<Secret> {
  if ('blob' in stored)
    return seal.unwrap(fromBase64(stored.blob) ?? new Uint8Array(), context(clusterId), { signal });
  return Secret.own(fromBase64(stored.key) ?? new Uint8Array());
}

// Without an HSM there is nothing that wraps: the barrier is what keeps the key.
async function close(secret: Secret, seal: Seal, clusterId: string, signal: AbortSignal): Promise<StoredKey> {
  if (isShamir(seal)) return { key: secret.borrow(toBase64) };
  return { blob: toBase64(await seal.wrap(secret, context(clusterId), { signal })) };
}

function context(clusterId: string): SealContext {
  return { clusterId, purpose: 'seal-wrap' };
}
