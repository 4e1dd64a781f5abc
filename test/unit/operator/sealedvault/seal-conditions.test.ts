import { describe, expect, test } from 'vitest';
import type { SealBackends } from '../../../../src/client/messages.ts';
import type { EngineState } from '../../../../src/operator/sealedvault/pods.ts';
import { statusOf, transitions } from '../../../../src/operator/sealedvault/status.ts';
import type { SealedVaultStatus } from '../../../../src/operator/sealedvault/status-schema.ts';
import { healthy, podWith, sampleVault } from './samples.ts';

const NOW = Date.parse('2026-06-01T00:00:00Z');
const good: SealBackends = {
  healthy: true,
  configured: true,
  fullyWrapped: true,
  breakGlass: false,
  restartKnown: true,
  restartFailure: undefined,
  key: { strong: true, warnings: [] },
};
const pin = { code: 'ERR_HSM_PIN_INCORRECT', message: 'the HSM refused the PIN' };

function statusWith(
  seal: Partial<SealBackends> | undefined,
  engine: Partial<EngineState> = {},
  before?: SealedVaultStatus,
): SealedVaultStatus {
  const state = { ...engine, seal: seal === undefined ? undefined : { ...good, ...seal } };
  const vault = sampleVault();
  const observed = healthy({ pods: [podWith(state)] });
  return statusOf(before === undefined ? vault : { ...vault, status: before }, observed, NOW, 'operator');
}
const condition = (status: SealedVaultStatus, type: string): unknown =>
  status.conditions?.find((each) => each.type === type);

describe('the conditions of the seal', () => {
  test('say that all is well', () => {
    const status = statusWith({});
    expect(status.phase).toBe('Ready');
    for (const [type, value] of [
      ['SealHealthy', 'True'],
      ['HSMReachable', 'True'],
      ['NextRestartWouldFail', 'False'],
      ['SealKeyStrong', 'True'],
    ] as const)
      expect(condition(status, type)).toMatchObject({ status: value });
  });

  test('say that the HSM fails while the vault still serves', () => {
    const status = statusWith({ healthy: false, restartFailure: pin });
    expect(condition(status, 'Ready')).toMatchObject({ status: 'True' });
    expect(condition(status, 'SealHealthy')).toMatchObject({ status: 'False', reason: 'HSMFailing' });
    expect(condition(status, 'HSMReachable')).toMatchObject({ status: 'False', reason: 'HSMFailing' });
    expect(status.phase).toBe('Degraded');
  });

  test('say that a restart would fail although the HSM works, and why', () => {
    const status = statusWith({ restartFailure: pin });
    expect(condition(status, 'SealHealthy')).toMatchObject({ status: 'True' });
    expect(condition(status, 'NextRestartWouldFail')).toMatchObject({
      status: 'True',
      reason: 'WouldNotUnseal',
      message: expect.stringMatching(/Do not restart.*ERR_HSM_PIN_INCORRECT.*The HSM refused the PIN\.$/),
    });
    expect(status.phase).toBe('Degraded');
  });

  test('say that the key is kept badly', () => {
    const warnings = ['CKA_EXTRACTABLE is true: it can be taken out'];
    expect(condition(statusWith({ key: { strong: false, warnings } }), 'SealKeyStrong')).toMatchObject({
      status: 'False',
      reason: 'KeyWeak',
      message: expect.stringContaining('CKA_EXTRACTABLE is true'),
    });
  });

  test.each<[string, Partial<SealBackends> | undefined, Partial<EngineState>]>([
    ['an engine that does not tell', undefined, {}],
    ['an engine that is sealed', { restartKnown: false, key: undefined }, { sealed: true }],
  ])('know nothing of %s', (_, seal, engine) => {
    const status = statusWith(seal, engine);
    expect(condition(status, 'NextRestartWouldFail')).toMatchObject({ status: 'Unknown' });
    expect(condition(status, 'SealKeyStrong')).toMatchObject({ status: 'Unknown' });
  });

  test('do not take an HSM for broken that was not used yet', () => {
    const engine = { initialized: false, sealed: true };
    const status = statusWith({ healthy: false, configured: false, restartKnown: false }, engine);
    expect(condition(status, 'SealHealthy')).toMatchObject({ status: 'Unknown', reason: 'NotInitialized' });
  });
});

describe('events of the seal', () => {
  test('tell of each turn once', () => {
    const fine = statusWith({});
    expect(transitions(undefined, fine).map(({ reason }) => reason)).not.toContain('RestartWorks');
    const bad = statusWith({ restartFailure: pin }, {}, fine);
    expect(transitions(fine, bad)).toEqual([
      { type: 'Warning', reason: 'WouldNotUnseal', message: expect.stringContaining('Do not restart') },
    ]);
    expect(transitions(bad, statusWith({ restartFailure: pin }, {}, bad))).toEqual([]);
    expect(transitions(bad, statusWith({}, {}, bad))).toMatchObject([
      { type: 'Normal', reason: 'RestartWorks' },
    ]);
    const lost = statusWith({ healthy: false }, {}, fine);
    expect(transitions(fine, lost).map(({ type, reason }) => [type, reason])).toEqual([
      ['Warning', 'HSMFailing'],
      ['Warning', 'HSMFailing'],
    ]);
    const weak = statusWith({ key: { strong: false, warnings: ['it is extractable'] } }, {}, fine);
    expect(transitions(fine, weak)).toMatchObject([{ type: 'Warning', reason: 'KeyWeak' }]);
  });
});
