import { getJson, jsonPut, type Storage, type StorageOperation } from '../../logical/storage.ts';
import type { RecoveryHolders } from '../../sys/ceremony-port.ts';

/**
 * Who holds the recovery shares in force, kept behind the barrier and changed in the same write as the recovery key. Proof
 * keys tell whose share one is without keeping it; those of earlier sets are kept to say so of a share that is too old.
 */
const PATH = 'core/recovery-holders';
const EARLIER = 512;

export interface StoredHolders extends RecoveryHolders {
  /** Proof keys of sets that are no longer in force, the newest first. */
  readonly earlier: readonly string[];
}

/** @returns undefined when there are no shares, or nobody knows whose they are */
export function readHolders(storage: Storage): Promise<StoredHolders | undefined> {
  return getJson<StoredHolders>(storage, PATH);
}

/** What puts a new set of holders in force. */
export function holdersPut(
  before: StoredHolders | undefined,
  next: Omit<RecoveryHolders, 'generation'>,
): StorageOperation {
  const replaced = before?.holders.map(({ proofKey }) => proofKey) ?? [];
  const stored: StoredHolders = {
    generation: (before?.generation ?? 0) + 1,
    threshold: next.threshold,
    createdAt: next.createdAt,
    holders: next.holders,
    earlier: [...replaced, ...(before?.earlier ?? [])].slice(0, EARLIER),
  };
  return jsonPut(PATH, { ...stored });
}

/** What a migration to or from a Shamir seal writes: the shares live on under another name, and nobody knows their keys. */
export const holdersGone: StorageOperation = { type: 'delete', key: PATH };
