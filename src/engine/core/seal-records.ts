import { text, utf8 } from '../../lib/bytes.ts';
import type { Physical, PhysicalOperation } from '../physical/physical.ts';
import { type HsmSeal, isSameKey, type SealContext, type SealKeyName } from '../seal/seal.ts';
import type { KeyReference } from '../sys/seal-port.ts';
import { readRecoveryKey, readStoredKey, recoveryKeyPut, storedKeyPut } from './seal-store.ts';

/** A stored value that the HSM sealed. */
export interface SealedRecord {
  readonly purpose: SealContext['purpose'];
  readonly blob: Uint8Array;
  /** The key that it needs; undefined when it is no sealed value at all. */
  readonly key: SealKeyName | undefined;
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
    blob === undefined ? [] : [{ purpose, blob, key: keyOf(seal, blob), put }],
  );
}

function keyOf(seal: HsmSeal, blob: Uint8Array): SealKeyName | undefined {
  try {
    return seal.keyOf(blob);
  } catch {
    return undefined;
  }
}

/**
 * @param current the key that seals now, when it is known
 * @param behind what the HSM sealed and the barrier keeps
 */
export async function keyReferences(
  physical: Physical,
  seal: HsmSeal,
  current: SealKeyName | undefined,
  behind: readonly Uint8Array[],
): Promise<KeyReference[]> {
  const found: { readonly key: SealKeyName; records: number }[] = [];
  const named = (key: SealKeyName): { records: number } => {
    let entry = found.find((each) => isSameKey(each.key, key));
    if (entry === undefined) found.push((entry = { key, records: 0 }));
    return entry;
  };
  if (current !== undefined) named(current);
  const keys = (await sealedRecords(physical, seal)).map(({ key }) => key);
  for (const key of [...keys, ...behind.map((blob) => keyOf(seal, blob))])
    if (key !== undefined) named(key).records += 1;
  for (const key of await retiredKeys(physical)) named(key);
  return found.map(({ key, records }) => ({
    label: key.keyLabel,
    id: key.keyId,
    mechanism: key.mechanism,
    current: current !== undefined && isSameKey(key, current),
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
