import type { KindDefinition } from '../crd.ts';
import type { KubeObject, ResourceType } from '../runtime/runtime.ts';
import { recoveryCeremonySpec } from './schema.ts';
import { recoveryCeremonyStatus } from './status-schema.ts';
import type { RecoveryCeremonySpec, RecoveryCeremonyStatus } from './spec.ts';

/** The kind as the API knows it. */
export const RECOVERY_CEREMONY: ResourceType = {
  apiVersion: 'sealedvault.io/v1alpha1',
  kind: 'RecoveryCeremony',
  plural: 'recoveryceremonies',
};

export interface RecoveryCeremony extends KubeObject {
  readonly spec: RecoveryCeremonySpec;
  readonly status?: RecoveryCeremonyStatus;
}

/** Its definition. */
export const recoveryCeremonyKind: KindDefinition = {
  type: RECOVERY_CEREMONY,
  singular: 'recoveryceremony',
  // Not rc: kubectl takes that for ReplicationController, which comes first.
  shortNames: ['ceremony', 'svrc'],
  description:
    'An act on the recovery key of a vault: a plan that people sign, what is done by it, and the evidence.',
  spec: recoveryCeremonySpec,
  status: recoveryCeremonyStatus,
  rules: [
    {
      rule: 'self.metadata.name.size() <= 180',
      message: 'The name of a ceremony becomes part of the names of Secrets: at most 180 characters.',
    },
  ],
  columns: [
    { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    { name: 'Vault', type: 'string', jsonPath: '.spec.vaultRef.name' },
    { name: 'Type', type: 'string', jsonPath: '.spec.type' },
    { name: 'Threshold', type: 'integer', jsonPath: '.spec.threshold' },
    { name: 'Delivered', type: 'string', jsonPath: '.status.delivered' },
    { name: 'Progress', type: 'string', jsonPath: '.status.progress' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    {
      name: 'Reason',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='Committed')].reason",
      priority: 1,
    },
    { name: 'Digest', type: 'string', jsonPath: '.status.manifestDigest', priority: 1 },
  ],
};

/** Whether a ceremony makes new shares, for the custodians that it names. */
export function makesShares({ spec }: RecoveryCeremony): boolean {
  return spec.custodians.length > 0;
}

/** Whether custodians are to answer a test message before shares are made for them. */
export function testsKeys({ spec }: RecoveryCeremony): boolean {
  const usual = ['Initialize', 'RotateRecovery'].includes(spec.type) ? 'Required' : 'Skip';
  return (spec.keyTest ?? usual) === 'Required';
}
