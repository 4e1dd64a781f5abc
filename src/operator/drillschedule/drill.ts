import { trimEnd } from '../../lib/trim.ts';
import type { KubeObject } from '../runtime/runtime.ts';
import { RECOVERY_CEREMONY } from '../recoveryceremony/kind.ts';
import { conditionOf, isoSeconds } from '../sealedvault/status.ts';
import type { DrillPlan } from './drillschedule.ts';
import type { DrillSchedule, DrillScheduleStatus } from './kind.ts';

/** A drill that begins now. Its name has the minute, so that two operators make one. */
export function drillObject({ metadata, spec }: DrillSchedule, now: number): KubeObject {
  const { name, namespace } = metadata;
  const minute = isoSeconds(now).slice(0, 16).replace(/\D/g, '');
  return {
    apiVersion: RECOVERY_CEREMONY.apiVersion,
    kind: RECOVERY_CEREMONY.kind,
    metadata: {
      name: `${name}-${minute}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: {
        'app.kubernetes.io/managed-by': 'sealedvault',
        'sealedvault.io/drill-schedule': trimEnd(name.slice(0, 63), '-.'),
      },
    },
    spec: { vaultRef: spec.vaultRef, type: 'Drill', expiresAfter: `${spec.withinDays * 24}h` },
  } as KubeObject;
}

/** What a schedule tells; the same plan gives the same status. */
export function scheduleStatus(
  { metadata, spec, status }: DrillSchedule,
  { due, next, last, completed }: DrillPlan,
  now: number,
): DrillScheduleStatus {
  const generation = metadata.generation ?? 0;
  const suspended = spec.suspend;
  const missed = last?.status?.phase === 'Expired';
  const draft = suspended
    ? { status: 'False' as const, reason: 'Suspended', message: 'No new drill begins.' }
    : missed
      ? {
          status: 'False' as const,
          reason: 'DrillMissed',
          message: `Not every custodian answered in ${last.metadata.name}: find out why, then replace the shares.`,
        }
      : { status: 'True' as const, reason: 'OnTime', message: 'Drills are held as planned.' };
  const completedAt = completed?.status?.completedAt;
  return {
    observedGeneration: generation,
    conditions: [conditionOf({ type: 'OnTime', ...draft }, status?.conditions, generation, now)],
    ...(last === undefined ? {} : { lastDrill: last.metadata.name }),
    ...(completedAt === undefined ? {} : { lastCompleted: completedAt }),
    ...(suspended || due ? {} : { nextDrill: isoSeconds(next) }),
  };
}
