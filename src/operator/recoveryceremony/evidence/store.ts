import { KubeApiError } from '../../runtime/errors.ts';
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
  const version = map?.metadata.resourceVersion;
  const found = Evidence.from(manifest, stored, version);
  const whole = told === undefined || found.holds(told);
  const evidence = whole ? found : Evidence.from(manifest, undefined, version);
  const { type, vault } = manifest;
  const facts = { type, vault: vault.name, digest: manifestDigest(manifest) };
  evidence.add({ who: 'operator', step: 'planned', facts }, clock.now());
  if (!whole)
    evidence.add({ who: 'operator', step: 'evidence-lost', facts: { head: told.head } }, clock.now());
  return evidence;
}

/**
 * Writes the evidence, when there is news.
 * @throws ERR_KUBE_API (409) when somebody else wrote it since it was read: of two operators none takes away what the other added
 */
export async function storeEvidence(
  ceremony: RecoveryCeremony,
  evidence: Evidence,
  { api, signal }: ReconcileContext,
): Promise<void> {
  if (!evidence.changed) return;
  const text = bundleText(evidence.bundle);
  const object = ownedMap(ceremony, evidenceName(ceremony), { 'evidence.json': text });
  const { version } = evidence;
  if (version === undefined) {
    const made = await api.create<Data>(CONFIG_MAP, object, signal);
    if (made === undefined) throw overtaken();
    evidence.stored(made.metadata.resourceVersion);
    return;
  }
  const metadata = { ...object.metadata, resourceVersion: version };
  await api.apply(CONFIG_MAP, { ...object, metadata }, signal);
  const key = { namespace: ceremony.metadata.namespace ?? '', name: evidenceName(ceremony) };
  const written = await api.get<Data>(CONFIG_MAP, key, signal);
  if (written?.data?.['evidence.json'] !== text) throw overtaken();
  evidence.stored(written.metadata.resourceVersion);
}

function overtaken(): KubeApiError {
  return new KubeApiError({ verb: 'apply', resource: CONFIG_MAP.plural, status: 409, reason: 'Conflict' });
}

/** What a status says of the evidence. */
export function evidenceStatus(ceremony: RecoveryCeremony, evidence: Evidence): EvidenceStatus {
  const { entries } = evidence.bundle;
  return { entries: entries.length, head: evidence.head, configMap: evidenceName(ceremony) };
}
