import { describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../../../src/lib/clock.ts';
import { Metrics } from '../../../../src/operator/runtime/report/metrics.ts';
import { RecoveryGauges } from '../../../../src/operator/recovery/gauges.ts';
import { planDrill } from '../../../../src/operator/drillschedule/drillschedule.ts';
import type { DrillSchedule } from '../../../../src/operator/drillschedule/kind.ts';
import type { RecoveryCeremony } from '../../../../src/operator/recoveryceremony/kind.ts';
import { readiness, type RecoveryWorld } from '../../../../src/operator/recovery/recovery.ts';

const day = 86_400_000;
const now = Date.parse('2026-06-01T00:00:00Z');
const at = (daysAgo: number): string => new Date(now - daysAgo * day).toISOString();

const shares = (names: string[], threshold = 2): RecoveryWorld['shares'] => ({
  generation: 2,
  threshold,
  createdAt: at(10),
  breakGlass: [],
  holders: names.map((name) => ({ name, fingerprint: '', proofKey: name })),
});

function ceremony(
  type: string,
  status: Record<string, unknown>,
  custodians: readonly object[] = [],
): RecoveryCeremony {
  return {
    metadata: { name: `${type}-x`.toLowerCase(), creationTimestamp: at(5) },
    spec: { type },
    status: { generation: 2, phase: 'Completed', custodians, ...status },
  } as unknown as RecoveryCeremony;
}

const schedule = (spec: object = {}): DrillSchedule =>
  ({
    metadata: { name: 'drills', namespace: 'vaults' },
    spec: { vaultRef: { name: 'demo' }, everyDays: 90, withinDays: 14, suspend: false, ...spec },
  }) as unknown as DrillSchedule;

const world = (change: Partial<RecoveryWorld> = {}): RecoveryWorld => ({
  shares: shares(['ada', 'grace', 'edith']),
  ceremonies: [],
  schedule: undefined,
  wanted: undefined,
  now,
  ...change,
});

const answered = (names: string[]): object[] => names.map((name) => ({ name, proven: true }));

describe('a recovery key', () => {
  test('is ready when one more share than is needed is there', () => {
    const drill = ceremony('Drill', { completedAt: at(1) }, answered(['ada', 'grace', 'edith']));
    expect(readiness(world({ ceremonies: [drill] }))).toMatchObject({
      status: 'True',
      recovery: { threshold: 2, custodians: 3, unproven: 0, margin: 1, lastDrill: '2026-05-31T00:00:00Z' },
    });
  });

  test('is not when a share is lost, and a rotation is proposed', () => {
    const lost = ceremony('Initialize', { completedAt: at(9) }, [{ name: 'ada', receipt: 'Lost' }]);
    const found = readiness(world({ ceremonies: [lost] }));
    expect(found).toMatchObject({ status: 'False', reason: 'MarginUsedUp', propose: true });
    expect(found.message).toContain('ada');
    expect(found.recovery?.margin).toBe(0);
  });

  test('does not mind what happened to shares that were replaced', () => {
    const old = { generation: 1, completedAt: at(90) };
    const ceremonies = [
      ceremony('Initialize', old, [{ name: 'ada', receipt: 'Lost' }]),
      ceremony('Drill', old, answered(['ada', 'grace', 'edith'])),
    ];
    expect(readiness(world({ ceremonies }))).toMatchObject({ status: 'True', recovery: { unproven: 3 } });
  });

  test('is not when a drill ended without every answer, until one is answered', () => {
    const missed = ceremony('Drill', { phase: 'Expired', completedAt: at(3) }, answered(['ada']));
    const found = readiness(world({ ceremonies: [missed] }));
    expect(found).toMatchObject({ status: 'False', reason: 'DrillMissed', recovery: { unproven: 2 } });
    const later = ceremony('Drill', { completedAt: at(1) }, answered(['ada', 'grace', 'edith']));
    expect(readiness(world({ ceremonies: [missed, later] })).status).toBe('True');
  });

  test('is not when the last drill is too long ago, and what was proved then counts no more', () => {
    const drill = ceremony('Drill', { completedAt: at(105) }, answered(['ada', 'grace', 'edith']));
    const old = { ...shares(['ada', 'grace', 'edith']), createdAt: at(200) } as RecoveryWorld['shares'];
    const change = { ceremonies: [drill], shares: old, schedule: schedule() };
    expect(readiness(world(change))).toMatchObject({
      status: 'False',
      reason: 'DrillOverdue',
      recovery: { unproven: 3 },
    });
    expect(readiness(world({ ...change, now: now - 2 * day })).status).toBe('True');
  });

  test('of other custodians than were asked for is to be replaced', () => {
    const found = readiness(world({ wanted: ['ada', 'grace', 'joan'] }));
    expect(found).toMatchObject({ status: 'False', reason: 'CustodiansDiffer', propose: true });
    expect(found.message).toContain('joan has no share, edith has one still');
  });

  test.each([undefined, shares(['', ''])])('whose holders nobody knows is not judged', (unknown) => {
    expect(readiness(world({ shares: unknown }))).toMatchObject({
      status: 'Unknown',
      recovery: undefined,
    });
  });
});

test('metrics tell it by namespace and vault', () => {
  const lost = ceremony('Initialize', { completedAt: at(9) }, [{ name: 'ada', receipt: 'Lost' }]);
  const gauges = new RecoveryGauges({ ...systemClock, now: () => now } as Clock);
  const key = { namespace: 'vaults', name: 'demo' };
  gauges.set(key, readiness(world({ ceremonies: [lost] })));
  const metrics = new Metrics();
  for (const gauge of gauges.gauges) metrics.gauge(gauge.name, gauge.help, () => gauge.read());
  const text = metrics.render();
  for (const line of ['custodians_unproven', 'days_since_drill', 'shares_margin'])
    expect(text).toContain(`sealedvault_recovery_${line}{namespace="vaults",vault="demo"}`);
  expect(text).toMatch(/shares_margin\{[^}]*\} 0$/m);
  expect(text).toMatch(/days_since_drill\{[^}]*\} 10$/m);
  gauges.forget(key);
  expect(metrics.render()).not.toContain('vault="demo"');
});

describe('a schedule', () => {
  test('begins with a drill, and waits its days from one to the next', () => {
    expect(planDrill(schedule(), [], now)).toMatchObject({ due: true, next: now + 90 * day });
    const last = ceremony('Drill', {});
    expect(planDrill(schedule(), [last], now)).toMatchObject({ due: false, next: now + 85 * day });
    expect(planDrill(schedule({ everyDays: 5 }), [last], now).due).toBe(true);
    expect(planDrill(schedule(), [ceremony('Drill', { phase: 'Cancelled' })], now).due).toBe(true);
    expect(planDrill(schedule(), [ceremony('Drill', { phase: 'Expired' })], now).due).toBe(false);
  });

  test('that is suspended begins none', () => {
    expect(planDrill(schedule({ suspend: true }), [], now).due).toBe(false);
  });
});
