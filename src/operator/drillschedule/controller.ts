import type {
  Controller,
  KubeObject,
  ObjectKey,
  ReconcileContext,
  ReconcileResult,
} from '../runtime/runtime.ts';
import { RECOVERY_CEREMONY, type RecoveryCeremony } from '../recoveryceremony/kind.ts';
import { drillsOf, planDrill } from './drillschedule.ts';
import { DRILL_SCHEDULE, type DrillSchedule } from './kind.ts';
import { drillObject, scheduleStatus } from './drill.ts';

const HOUR_MS = 3_600_000;

/** Makes the drills that are due; the ceremonies do the rest. */
export function createDrillScheduleController(): Controller {
  const schedules = new Map<string, { readonly key: ObjectKey; readonly vault: string }>();
  return {
    name: 'drillschedule',
    primary: DRILL_SCHEDULE,
    watches: [{ type: RECOVERY_CEREMONY, map: (ceremony) => concerned(ceremony, schedules) }],
    concurrency: 2,
    deadlineMs: 30_000,
    reconcile: (key, context) => reconcile(key, context, schedules),
  };
}

function concerned(
  object: KubeObject,
  schedules: ReadonlyMap<string, { readonly key: ObjectKey; readonly vault: string }>,
): readonly ObjectKey[] {
  const { metadata, spec } = object as RecoveryCeremony;
  return [...schedules.values()]
    .filter(({ key, vault }) => key.namespace === metadata.namespace && vault === spec.vaultRef.name)
    .map(({ key }) => key);
}

async function reconcile(
  key: ObjectKey,
  { cache, api, clock, events, signal }: ReconcileContext,
  schedules: Map<string, { readonly key: ObjectKey; readonly vault: string }>,
): Promise<ReconcileResult> {
  const schedule = cache.get<DrillSchedule>(DRILL_SCHEDULE, key);
  if (schedule === undefined) {
    schedules.delete(`${key.namespace}/${key.name}`);
    return {};
  }
  const vault = schedule.spec.vaultRef.name;
  schedules.set(`${key.namespace}/${key.name}`, { key, vault });
  const now = clock.now();
  const plan = planDrill(schedule, drillsOf(cache, key.namespace, vault), now);
  if (plan.due && schedule.metadata.deletionTimestamp === undefined) {
    const drill = drillObject(schedule, now);
    if ((await api.create(RECOVERY_CEREMONY, drill, signal)) !== undefined)
      events.record(
        schedule,
        'Normal',
        'DrillStarted',
        `The drill ${drill.metadata.name} waits for its custodians.`,
      );
  }
  const { apiVersion, kind } = DRILL_SCHEDULE;
  const status = scheduleStatus(schedule, plan, now);
  await api.applyStatus(DRILL_SCHEDULE, { apiVersion, kind, metadata: key, status }, signal);
  return { requeueAfterMs: Math.min(HOUR_MS, Math.max(1_000, plan.next - now)) };
}
