import type { Cache } from '../runtime/runtime.ts';
import { DRILL_SCHEDULE, type DrillSchedule } from './kind.ts';

export const DAY_MS = 86_400_000;

/** @returns the schedule of a vault that asks most often; undefined when nobody asks */
export function scheduleOf(cache: Cache, namespace: string, vault: string): DrillSchedule | undefined {
  return cache
    .list<DrillSchedule>(DRILL_SCHEDULE, namespace)
    .filter(({ spec }) => spec.vaultRef.name === vault && !spec.suspend)
    .toSorted((a, b) => a.spec.everyDays - b.spec.everyDays)[0];
}

/** @returns the end of the next drill of shares that are made now: until then keys are needed */
export function nextDrillOf(cache: Cache, namespace: string, vault: string, now: number): Date | undefined {
  const schedule = scheduleOf(cache, namespace, vault);
  if (schedule === undefined) return undefined;
  return new Date(now + (schedule.spec.everyDays + schedule.spec.withinDays) * DAY_MS);
}
