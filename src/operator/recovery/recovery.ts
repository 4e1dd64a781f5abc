import type { RecoveryShares } from '../../client/ceremony.ts';
import { DAY_MS } from '../drillschedule/drillschedule.ts';
import type { DrillSchedule } from '../drillschedule/kind.ts';
import type { RecoveryCeremony } from '../recoveryceremony/kind.ts';
import { timestamp } from '../runtime/time.ts';
import type { RecoveryStatus } from '../sealedvault/status-schema.ts';

/**
 * Whether the recovery key of a vault could be used today. Pure.
 *
 * I1  Only ceremonies about the set of shares in force count: a proof or a loss of an earlier set says nothing.
 * I2  It goes bad before the day it is needed: when no further share may be lost, or when drills stay unanswered.
 * I3  Nothing is done about it but to say so: new shares take consent.
 */
export interface RecoveryWorld {
  /** Undefined when the vault does not tell who has its shares. */
  readonly shares: RecoveryShares | undefined;
  /** Of this vault. */
  readonly ceremonies: readonly RecoveryCeremony[];
  readonly schedule: DrillSchedule | undefined;
  /** Names of custodians that the vault should have; undefined when nobody said. */
  readonly wanted: readonly string[] | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export type RecoveryReason =
  | 'CustodiansDiffer'
  | 'DrillOverdue'
  | 'DrillMissed'
  | 'HoldersUnknown'
  | 'MarginUsedUp'
  | 'RecoveryReady';

export interface Readiness {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: RecoveryReason;
  readonly message: string;
  readonly recovery: RecoveryStatus | undefined;
  /** A RotateRecovery would put it right. */
  readonly propose: boolean;
  /** Milliseconds since the epoch of the last drill, or of the making of the shares. */
  readonly since?: number;
}

export function readiness(world: RecoveryWorld): Readiness {
  const { shares, schedule, now, wanted } = world;
  if (shares === undefined || shares.holders.some(({ name }) => name === ''))
    return {
      status: 'Unknown',
      reason: 'HoldersUnknown',
      message: 'The vault does not know who has its recovery shares: a RotateRecovery names them.',
      recovery: undefined,
      propose: false,
    };
  const mine = world.ceremonies.filter(({ status }) => status?.generation === shares.generation);
  const maxAge =
    schedule === undefined ? undefined : (schedule.spec.everyDays + schedule.spec.withinDays) * DAY_MS;
  const proven = provenOf(mine, maxAge, now);
  const lost = lostOf(mine);
  const names = shares.holders.map(({ name }) => name);
  const { threshold } = shares;
  const margin = names.filter((name) => !lost.has(name)).length - threshold;
  const unproven = names.filter((name) => !proven.has(name));
  const lastDrill = lastDrillOf(mine);
  const since = Math.max(lastDrill ?? 0, Date.parse(shares.createdAt) || 0);
  const recovery: RecoveryStatus = {
    threshold,
    custodians: names.length,
    unproven: unproven.length,
    ...(lastDrill === undefined ? {} : { lastDrill: timestamp(lastDrill) }),
    margin,
  };
  const bad = (reason: RecoveryReason, message: string, propose: boolean): Readiness => ({
    status: 'False',
    reason,
    message,
    recovery,
    propose,
    since,
  });
  if (margin <= 0) {
    const whose = lost.size === 0 ? '' : ` Reported lost: ${[...lost].join(', ')}.`;
    return bad(
      'MarginUsedUp',
      `${threshold} of ${names.length} shares are needed, and no further one may be lost.${whose} Make a RotateRecovery.`,
      true,
    );
  }
  const missed = mine.find(({ spec, status }) => spec.type === 'Drill' && status?.phase === 'Expired');
  if (missed !== undefined && unproven.length > 0 && (lastDrill ?? 0) < endedAt(missed))
    return bad(
      'DrillMissed',
      `Not every custodian answered in ${missed.metadata.name}: ${unproven.join(', ')}. Ask them; a RotateRecovery replaces shares that cannot be found.`,
      true,
    );
  if (maxAge !== undefined && now - since > maxAge)
    return bad('DrillOverdue', 'The last drill is longer ago than the schedule allows.', false);
  const differing = wanted === undefined ? [] : difference(wanted, names);
  if (differing.length > 0)
    return bad(
      'CustodiansDiffer',
      `The custodians that spec.recovery names are others: ${differing.join(', ')}. Make a RotateRecovery.`,
      true,
    );
  return {
    status: 'True',
    reason: 'RecoveryReady',
    message: `${threshold} of ${names.length} shares are needed; ${names.length - unproven.length} were proved${schedule === undefined ? ', and nobody has planned drills' : ''}.`,
    recovery,
    propose: false,
    since,
  };
}

function provenOf(
  ceremonies: readonly RecoveryCeremony[],
  maxAge: number | undefined,
  now: number,
): ReadonlySet<string> {
  const fresh = ceremonies.filter(
    (each) => maxAge === undefined || isOpen(each) || now - endedAt(each) <= maxAge,
  );
  return new Set(
    fresh.flatMap(({ status }) => namesWith(status?.custodians, ({ proven }) => proven === true)),
  );
}

function lostOf(ceremonies: readonly RecoveryCeremony[]): ReadonlySet<string> {
  return new Set(
    ceremonies.flatMap(({ status }) => namesWith(status?.custodians, ({ receipt }) => receipt === 'Lost')),
  );
}

/** The end of the newest ceremony in which every holder proved their share: a drill, or the rotation itself. */
function lastDrillOf(ceremonies: readonly RecoveryCeremony[]): number | undefined {
  const ends = ceremonies
    .filter(({ spec, status }) => status?.phase === 'Completed' && spec.type !== 'Initialize')
    .map(endedAt);
  return ends.length === 0 ? undefined : Math.max(...ends);
}

function isOpen({ status }: RecoveryCeremony): boolean {
  return status?.completedAt === undefined;
}

function endedAt({ status }: RecoveryCeremony): number {
  return Date.parse(status?.completedAt ?? '') || 0;
}

function namesWith<T extends { readonly name: string }>(
  custodians: readonly T[] | undefined,
  wanted: (each: T) => boolean,
): string[] {
  return (custodians ?? []).filter(wanted).map(({ name }) => name);
}

function difference(wanted: readonly string[], have: readonly string[]): string[] {
  return [
    ...wanted.filter((name) => !have.includes(name)).map((name) => `${name} has no share`),
    ...have.filter((name) => !wanted.includes(name)).map((name) => `${name} has one still`),
  ];
}
