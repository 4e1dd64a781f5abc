import type { Cache } from '../runtime/runtime.ts';
import { RECOVERY_CEREMONY, type RecoveryCeremony } from '../recoveryceremony/kind.ts';
import { DRILL_SCHEDULE, type DrillSchedule } from './kind.ts';

export const DAY_MS = 86_400_000;

/** When a schedule wants its next drill. */
export interface DrillPlan {
  /** Now. */
  readonly due: boolean;
  /** Milliseconds since the epoch; the next one after that of now. */
  readonly next: number;
  readonly last: RecoveryCeremony | undefined;
  /** The newest that every custodian answered. */
  readonly completed: RecoveryCeremony | undefined;
}

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

/** @returns the drills of a vault, the newest first, whoever made them */
export function drillsOf(cache: Cache, namespace: string, vault: string): readonly RecoveryCeremony[] {
  return cache
    .list<RecoveryCeremony>(RECOVERY_CEREMONY, namespace)
    .filter(({ spec }) => spec.type === 'Drill' && spec.vaultRef.name === vault)
    .toSorted((a, b) => madeAt(b) - madeAt(a));
}

/**
 * Pure: drills follow each other by the days between their beginnings, so that one that was missed is not made up for
 * again and again; the first begins with the schedule.
 */
export function planDrill(
  { spec }: DrillSchedule,
  drills: readonly RecoveryCeremony[],
  now: number,
): DrillPlan {
  const every = spec.everyDays * DAY_MS;
  // One that was called off, or could not begin, asked nobody.
  const last = drills.find(({ status }) => !['Cancelled', 'Failed'].includes(status?.phase ?? ''));
  const completed = drills.find(({ status }) => status?.phase === 'Completed');
  const at = last === undefined ? now : madeAt(last) + every;
  const due = !spec.suspend && at <= now;
  return { due, next: due ? now + every : at, last, completed };
}

/** Milliseconds since the epoch at which an object was made. */
export function madeAt({ metadata }: RecoveryCeremony): number {
  return Date.parse(metadata.creationTimestamp ?? '') || 0;
}
