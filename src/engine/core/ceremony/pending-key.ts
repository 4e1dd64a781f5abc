import { fromBase64, toBase64 } from '../../../lib/bytes.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Secret } from '../../../lib/secret.ts';
import type { PendingPurpose } from '../../seal/seal.ts';
import { type CommitPorts, sealConfig } from '../quorum/commit.ts';
import { handOut, inspectKeys } from '../quorum/hand-out.ts';
import type { CeremonyRecord, PendingKey } from './record.ts';

/**
 * Splits a new key among the custodians of a plan: their PGP messages, and the key itself sealed by the HSM until every
 * custodian has proved their share.
 * @param key the caller keeps ownership
 */
export async function splitAmong(
  ports: CommitPorts & { readonly clock: Clock },
  record: CeremonyRecord,
  key: Secret,
  more: Omit<PendingKey, 'blob' | 'purpose' | 'proofKeys'> & { readonly purpose: PendingPurpose },
): Promise<CeremonyRecord> {
  const { seal, physical, clock } = ports;
  const { custodians: people, threshold } = record.plan;
  const custodians = await inspectKeys(
    people.map(({ pgpKey }) => pgpKey),
    new Date(clock.now()),
  );
  if (typeof custodians === 'string') throw new TypeError('a key of a checked plan cannot be used any more');
  const { messages, proofKeys } = await handOut(key, { shares: people.length, threshold, custodians });
  const { clusterId } = await sealConfig(physical);
  const signal = new AbortController().signal;
  await seal.open({ signal, allowGenerateKey: false });
  const blob = await seal.wrap(key, { clusterId, purpose: more.purpose }, { signal });
  const pending: PendingKey = { ...more, blob: toBase64(blob), proofKeys };
  const named = people.map(({ name }, index) => [name, toBase64(messages[index] ?? new Uint8Array())]);
  return { ...record, state: 'proving', pending, messages: Object.fromEntries(named) };
}

/**
 * Opens a pending key: by the HSM's key of today, and as the last look whether it opens at all.
 * @param purpose of the ceremony's type: a key that waits for something else does not open
 * @throws ERR_SEAL_BLOB and ERR_HSM_*
 */
export async function openPending(
  { seal, physical }: CommitPorts,
  pending: PendingKey,
  purpose: PendingPurpose,
  signal: AbortSignal,
): Promise<Secret> {
  const { clusterId } = await sealConfig(physical);
  await seal.open({ signal, allowGenerateKey: false });
  const wrappedFor = pending.purpose === undefined ? 'recovery-key' : purpose;
  return seal.unwrap(
    fromBase64(pending.blob) ?? new Uint8Array(),
    { clusterId, purpose: wrappedFor },
    { signal },
  );
}

/** The custodians of a plan as holders of their new shares. */
export function holdersOf(
  { plan, fingerprints }: CeremonyRecord,
  { proofKeys }: PendingKey,
): { readonly name: string; readonly fingerprint: string; readonly proofKey: string }[] {
  return plan.custodians.map(({ name }, index) => ({
    name,
    fingerprint: fingerprints[index] ?? '',
    proofKey: proofKeys[index] ?? '',
  }));
}
