import { text, utf8 } from '../../lib/bytes.ts';
import type { Physical, PhysicalOperation } from '../physical/physical.ts';
import { type HsmSeal, isCurrent, isSameKey, type SealContext, type SealKeyName } from '../seal/seal.ts';
import type { KeyReference } from '../sys/seal-port.ts';
import { readRecoveryKey, readStoredKey, recoveryKeyPut, storedKeyPut } from './seal-store.ts';

/** A stored value that the HSM sealed. */
export interface SealedRecord {
  readonly purpose: SealContext['purpose'];
  readonly blob: Uint8Array;
  /** The keys that open it, each by itself; none when it is no sealed value at all. */
  readonly keys: readonly SealKeyName[];
  readonly put: (blob: Uint8Array) => PhysicalOperation;
}

/** Keys that nothing names any more; kept, so that one can read that they may go. */
const RETIRED_KEYS = 'core/hsm/retired-keys';

/** Everything that only the HSM can open. */
export async function sealedRecords(physical: Physical, seal: HsmSeal): Promise<SealedRecord[]> {
  const stored = [
    { purpose: 'root-key', blob: await readStoredKey(physical), put: storedKeyPut },
    { purpose: 'recovery-key', blob: await readRecoveryKey(physical), put: recoveryKeyPut },
  ] as const;
  return stored.flatMap(({ purpose, blob, put }) =>
    blob === undefined ? [] : [{ purpose, blob, keys: keysOf(seal, blob), put }],
  );
}

function keysOf(seal: HsmSeal, blob: Uint8Array): readonly SealKeyName[] {
  try {
    return seal.keysOf(blob);
  } catch {
    return [];
  }
}

/** Whether something that the HSMs sealed should be wrapped again. @param behind what of it the barrier keeps */
export async function hasStale(
  physical: Physical,
  seal: HsmSeal,
  behind: readonly Uint8Array[],
): Promise<boolean> {
  const records = await sealedRecords(physical, seal);
  const all = [...records.map(({ keys }) => keys), ...behind.map((blob) => keysOf(seal, blob))];
  return all.some((keys) => keys.length > 0 && !isCurrent(seal, keys));
}

/** What of everything that is sealed is sealed by which key. */
export interface SealedSummary {
  /** How many records each key opens. */
  readonly references: KeyReference[];
  /** Whether every HSM has its part of everything, by its key of today. */
  readonly fullyWrapped: boolean;
}

/** @param behind what the HSM sealed and the barrier keeps */
export async function sealedSummary(
  physical: Physical,
  seal: HsmSeal,
  behind: readonly Uint8Array[],
): Promise<SealedSummary> {
  const records = await sealedRecords(physical, seal);
  const all = [...records.map(({ keys }) => keys), ...behind.map((blob) => keysOf(seal, blob))];
  const parts = seal.backends().length;
  return {
    references: await keyReferences(physical, seal, all.flat()),
    fullyWrapped: all.every((keys) => keys.length === parts && isCurrent(seal, keys)),
  };
}

async function keyReferences(
  physical: Physical,
  seal: HsmSeal,
  named: readonly SealKeyName[],
): Promise<KeyReference[]> {
  const current = seal.backends().flatMap(({ key }) => (key === undefined ? [] : [key]));
  const found: { readonly key: SealKeyName; records: number }[] = [];
  const entryOf = (key: SealKeyName): { records: number } => {
    let entry = found.find((each) => isSameKey(each.key, key));
    if (entry === undefined) found.push((entry = { key, records: 0 }));
    return entry;
  };
  for (const key of current) entryOf(key);
  for (const key of named) entryOf(key).records += 1;
  for (const key of await retiredKeys(physical)) entryOf(key);
  return found.map(({ key, records }) => ({
    label: key.keyLabel,
    id: key.keyId,
    mechanism: key.mechanism,
    current: current.some((each) => isSameKey(key, each)),
    records,
  }));
}

export async function retiredKeys(physical: Physical): Promise<SealKeyName[]> {
  const bytes = await physical.get(RETIRED_KEYS);
  return bytes === undefined ? [] : (JSON.parse(text(bytes)) as SealKeyName[]);
}

export function retiredKeysPut(keys: readonly SealKeyName[]): PhysicalOperation {
  const plain = keys.map(({ mechanism, keyLabel, keyId, checkValue }) => ({
    mechanism,
    keyLabel,
    keyId,
    checkValue,
  }));
  return { type: 'put', key: RETIRED_KEYS, value: utf8(JSON.stringify(plain)) };
}
