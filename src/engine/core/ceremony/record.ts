import { fromBase64 } from '../../../lib/bytes.ts';
import { getJson, jsonPut, type Storage, type StorageOperation } from '../../logical/storage.ts';
import type { PendingPurpose } from '../../seal/seal.ts';
import type { CeremonyPlan, CeremonyState } from '../../sys/ceremony-port.ts';
import type { MigrationPlan } from '../../sys/port.ts';

/** The ceremony that runs, or the last one: behind the barrier, so that a restart loses no more than shares in memory. */
export interface CeremonyRecord {
  readonly plan: CeremonyPlan;
  readonly fingerprints: readonly string[];
  readonly requesterFingerprint: string | undefined;
  readonly state: CeremonyState;
  readonly startedAt: string;
  /** The new recovery key, sealed by the HSM, from the quorum until it is in force; and what belongs to it. */
  readonly pending?: PendingKey;
  /** Base64 of the PGP messages, by the names of the custodians. */
  readonly messages?: Readonly<Record<string, string>>;
  /** Custodians who proved their new share. */
  readonly proven: readonly string[];
  readonly submitted?: readonly string[];
  /** seal-migration. */
  readonly seals?: MigrationPlan;
  readonly token?: { readonly accessor: string; readonly expiresAt: string; readonly message: string };
}

export interface PendingKey {
  /** Base64. */
  readonly blob: string;
  /** What the blob was wrapped for; records before it have none, and were wrapped for `recovery-key`. */
  readonly purpose?: PendingPurpose;
  /** In the order of the custodians. */
  readonly proofKeys: readonly string[];
  /** The set of shares whose quorum made it: it replaces no other. */
  readonly generation: number;
  /** Of a break-glass key; base64. */
  readonly publicKey?: string;
}

const PATH = 'core/ceremony';
const PAST = 'core/ceremonies/';
const MOST_PAST = 32;

export function readCeremony(storage: Storage): Promise<CeremonyRecord | undefined> {
  return getJson<CeremonyRecord>(storage, PATH);
}

export function ceremonyPut(record: CeremonyRecord): StorageOperation {
  return jsonPut(PATH, { ...record });
}

/** @returns the ceremony of an id: the one that runs, the last one, or one before */
export async function findCeremony(storage: Storage, id: string): Promise<CeremonyRecord | undefined> {
  const current = await readCeremony(storage);
  if (current?.plan.id === id) return current;
  return isId(id) ? getJson<CeremonyRecord>(storage, PAST + id) : undefined;
}

/** Whether a text can be the id of a ceremony: the UID of an object. */
export function isId(id: string): boolean {
  return /^[A-Za-z0-9-]{1,64}$/.test(id);
}

/**
 * What puts a ceremony that is over among those before it. The oldest go when there are many, but none whose root token
 * can still be revoked by it.
 */
export async function pastPut(
  storage: Storage,
  over: CeremonyRecord,
  isAlive: (accessor: string) => Promise<boolean>,
): Promise<StorageOperation[]> {
  const names = (await storage.list(PAST)).filter((name) => name !== over.plan.id);
  const found = await Promise.all(names.map((name) => getJson<CeremonyRecord>(storage, PAST + name)));
  const past = found
    .filter((record) => record !== undefined)
    .toSorted((a, b) => Date.parse(a.startedAt) - Date.parse(b.startedAt));
  const gone: StorageOperation[] = [];
  for (const { plan, token } of past.slice(0, Math.max(0, past.length + 1 - MOST_PAST)))
    if (token === undefined || !(await isAlive(token.accessor)))
      gone.push({ type: 'delete', key: PAST + plan.id });
  return [jsonPut(PAST + over.plan.id, { ...over }), ...gone];
}

/** What the HSM sealed for a ceremony that is not over. */
export async function pendingBlobs(storage: Storage): Promise<Uint8Array[]> {
  const record = await readCeremony(storage);
  return record?.state === 'proving' && record.pending !== undefined
    ? [fromBase64(record.pending.blob) ?? new Uint8Array()]
    : [];
}
