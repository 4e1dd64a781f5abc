import { expect, test } from 'vitest';
import { deletionStep, FINALIZER } from '../../../../src/operator/sealedvault/deletion.ts';
import { sampleVault } from './samples.ts';

const nothing = { statefulSet: false, pods: false, claims: false };
const step = (
  policy: string,
  deleting: boolean,
  held: boolean,
  left: Partial<typeof nothing> = {},
): string => {
  const vault = sampleVault((spec) => (spec['deletionPolicy'] = policy));
  const metadata = {
    ...vault.metadata,
    ...(deleting ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    finalizers: held ? [FINALIZER, 'other'] : ['other'],
  };
  return deletionStep({ ...vault, metadata }, { ...nothing, ...left });
};

test('the finalizer is there exactly when data is to be deleted', () => {
  expect(step('Retain', false, false)).toBe('keep');
  expect(step('Retain', false, true)).toBe('remove-finalizer');
  expect(step('Delete', false, false)).toBe('add-finalizer');
  expect(step('Delete', false, true)).toBe('keep');
});

test('data goes after the pods, and only with the policy Delete', () => {
  expect(step('Retain', true, true, { claims: true })).toBe('release');
  expect(step('Retain', true, false, { claims: true })).toBe('gone');
  expect(step('Delete', true, true, { statefulSet: true, pods: true, claims: true })).toBe('stop-pods');
  expect(step('Delete', true, true, { pods: true, claims: true })).toBe('stop-pods');
  expect(step('Delete', true, true, { claims: true })).toBe('delete-data');
  expect(step('Delete', true, true)).toBe('release');
});
