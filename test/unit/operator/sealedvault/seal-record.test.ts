import { describe, expect, test } from 'vitest';
import type { SealedVault } from '../../../../src/operator/sealedvault/kind.ts';
import { isSameToken, recordOf, type SealRecord } from '../../../../src/operator/sealedvault/seal-record.ts';
import type { HsmSpec } from '../../../../src/operator/sealedvault/spec.ts';
import { sampleVault } from './samples.ts';

const { hsm } = sampleVault().spec;
const other: HsmSpec = { ...hsm, name: 'other' };

function vaultWith(change: Partial<HsmSpec>, initialized: boolean | undefined = true): SealedVault {
  const vault = sampleVault();
  return {
    ...vault,
    spec: { ...vault.spec, hsm: { ...hsm, ...change } },
    ...(initialized === undefined ? {} : { status: { initialized } }),
  };
}

describe('what makes another HSM of it', () => {
  test.each<[string, Partial<HsmSpec>, boolean]>([
    ['name', { name: 'b' }, false],
    ['token label', { slotFrom: undefined, tokenLabel: 'b' }, false],
    ['serial number', { slotFrom: undefined, serial: '1' }, false],
    ['slot', { slotFrom: { secretKeyRef: { name: 'hsm', key: 'slot-2' } } }, false],
    ['key label', { keyLabel: 'b' }, true],
    ['library', { library: { path: '/opt/b.so', env: [] } }, true],
    ['PIN', { pinFrom: { secretKeyRef: { name: 'b', key: 'pin' } } }, true],
    ['placement', { placement: 'Engine' }, true],
  ])('%s', (_what, change, same) => {
    expect(isSameToken(hsm, { ...hsm, ...change })).toBe(same);
  });
});

describe('the record of the HSM in force', () => {
  const before: SealRecord = { inForce: hsm };
  const moving: SealRecord = { inForce: hsm, next: { hsm: other, ceremony: 'uid' } };

  test('follows what does not say which token it is', () => {
    const vault = vaultWith({ keyLabel: 'b' });
    expect(recordOf(vault, before, false)).toEqual({ inForce: vault.spec.hsm });
  });

  test('does not follow another token', () => {
    expect(recordOf(vaultWith({ name: 'b' }), before, false)).toEqual(before);
    // Not knowing is no permission.
    expect(recordOf(vaultWith({ name: 'b' }, undefined), before, false)).toEqual(before);
  });

  test('follows everything while there is no root key', () => {
    const vault = vaultWith({ name: 'b' }, false);
    expect(recordOf(vault, before, false)).toEqual({ inForce: vault.spec.hsm });
  });

  test('has the other HSM for as long as its ceremony goes on', () => {
    expect(recordOf(vaultWith({ name: 'other' }), moving, true)).toEqual(moving);
    expect(recordOf(vaultWith({ keyLabel: 'b' }), moving, true)).toEqual(moving);
    expect(recordOf(vaultWith({ name: 'other' }), moving, false)).toEqual(before);
  });
});
