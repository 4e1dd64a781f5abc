import type { ReconcileContext } from '../../runtime/runtime.ts';
import { CONFIG_MAP } from '../../sealedvault/types.ts';
import type { RecoveryCeremony } from '../kind.ts';
import { type Manifest, manifestDigest } from '../plan/manifest.ts';
import { type Data, isOwned, ownedMap } from '../plan/store.ts';
import type { EvidenceStatus } from '../spec.ts';
import { bundleText, parseBundle } from './bundle.ts';
import { Evidence } from './evidence.ts';

/** The name of the ConfigMap that holds the evidence. */
export function evidenceName(ceremony: RecoveryCeremony): string {
  return `${ceremony.metadata.name}-evidence`;
}

/** Reads the evidence, or begins it; evidence that somebody damaged is begun anew, and says so. */
export async function loadEvidence(
  ceremony: RecoveryCeremony,
  manifest: Manifest,
  { api, signal, clock }: ReconcileContext,
): Promise<Evidence> {
  const key = { namespace: ceremony.metadata.namespace ?? '', name: evidenceName(ceremony) };
  const map = await api.get<Data>(CONFIG_MAP, key, signal);
  const text = isOwned(ceremony, map) ? map?.data?.['evidence.json'] : undefined;
  const stored = text === undefined ? undefined : parseBundle(text, manifest);
  const told = ceremony.status?.evidence;
  const found = Evidence.from(manifest, stored);
  const whole = told === undefined || found.holds(told);
  const evidence = whole ? found : Evidence.from(manifest, undefined);
  const { type, vault } = manifest;
  const facts = { type, vault: vault.name, digest: manifestDigest(manifest) };
  evidence.add({ who: 'operator', step: 'planned', facts }, clock.now());
  if (!whole)
    evidence.add({ who: 'operator', step: 'evidence-lost', facts: { head: told.head } }, clock.now());
  return evidence;
}

/** Writes the evidence, when there is news. */
export async function storeEvidence(
  ceremony: RecoveryCeremony,
  evidence: Evidence,
  { api, signal }: ReconcileContext,
): Promise<void> {
  if (!evidence.changed) return;
  const data = { 'evidence.json': bundleText(evidence.bundle) };
  await api.apply(CONFIG_MAP, ownedMap(ceremony, evidenceName(ceremony), data), signal);
  evidence.stored();
}

/** What a status says of the evidence. */
export function evidenceStatus(ceremony: RecoveryCeremony, evidence: Evidence): EvidenceStatus {
  const { entries } = evidence.bundle;
  return { entries: entries.length, head: evidence.head, configMap: evidenceName(ceremony) };
}
