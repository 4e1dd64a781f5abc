import type { KubeObject, ReconcileContext, ResourceType } from '../runtime/runtime.ts';
import type { Verdict } from './verdict.ts';

/** Writes what was found of something that a person signed into its status, and tells a refusal as an event. */
export async function reportVerdict(
  type: ResourceType,
  object: KubeObject & { readonly status?: Verdict },
  verdict: Verdict,
  { api, events, signal }: ReconcileContext,
): Promise<void> {
  const { apiVersion, kind } = type;
  const { name, namespace } = object.metadata;
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
  const outcome = await api.applyStatus(type, { apiVersion, kind, metadata, status: verdict }, signal);
  if (outcome !== 'unchanged' && !verdict.accepted)
    events.record({ ...object, apiVersion, kind }, 'Warning', 'Refused', verdict.message);
}
