import type { ReconcileContext } from '../runtime/runtime.ts';
import { RECOVERY_CEREMONY, type RecoveryCeremony } from './kind.ts';
import type { RecoveryCeremonyStatus } from './spec.ts';

/** Writes the status of a ceremony when it is news, and tells what was reached as events. */
export async function writeStatus(
  ceremony: RecoveryCeremony,
  status: RecoveryCeremonyStatus,
  { api, events, signal }: ReconcileContext,
): Promise<void> {
  const { apiVersion, kind, metadata } = ceremony;
  const { name, namespace } = metadata;
  const object = {
    apiVersion,
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    status,
  };
  if ((await api.applyStatus(RECOVERY_CEREMONY, object, signal)) === 'unchanged') return;
  for (const condition of status.conditions ?? []) {
    const before = ceremony.status?.conditions?.find(({ type }) => type === condition.type);
    const bad = condition.type === 'Failed';
    if (condition.status === 'True' && before?.status !== 'True' && !bad) {
      const warns = condition.type === 'Expired' || condition.type === 'Interrupted';
      events.record(ceremony, warns ? 'Warning' : 'Normal', condition.reason, condition.message);
    }
  }
  const committed = status.conditions?.find(({ type }) => type === 'Committed');
  if (status.phase === 'Failed' && ceremony.status?.phase !== 'Failed' && committed !== undefined)
    events.record(ceremony, 'Warning', committed.reason, committed.message);
}
