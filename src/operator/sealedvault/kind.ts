import type { KindDefinition } from '../crd.ts';
import type { KubeObject, ResourceType } from '../runtime/runtime.ts';
import { sealedVaultSpec } from './schema.ts';
import type { SealedVaultSpec } from './spec.ts';
import { type SealedVaultStatus, sealedVaultStatus } from './status-schema.ts';

/** The kind as the API knows it. */
export const SEALED_VAULT: ResourceType = {
  apiVersion: 'sealedvault.io/v1alpha1',
  kind: 'SealedVault',
  plural: 'sealedvaults',
};

export interface SealedVault extends KubeObject {
  readonly spec: SealedVaultSpec;
  readonly status?: SealedVaultStatus;
}

/** Its definition. */
export const sealedVaultKind: KindDefinition = {
  type: SEALED_VAULT,
  singular: 'sealedvault',
  shortNames: ['sv'],
  description: 'A vault whose root key is sealed by an HSM over PKCS#11.',
  spec: sealedVaultSpec,
  status: sealedVaultStatus,
  rules: [
    {
      rule: "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && self.metadata.name.size() <= 40",
      message:
        'The name of a vault becomes part of the names of Services: at most 40 lower-case letters, digits and hyphens, beginning with a letter.',
    },
  ],
  scale: {
    specReplicasPath: '.spec.replicas',
    statusReplicasPath: '.status.replicas',
    labelSelectorPath: '.status.selector',
  },
  columns: [
    { name: 'Ready', type: 'string', jsonPath: ".status.conditions[?(@.type=='Ready')].status" },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    { name: 'Sealed', type: 'boolean', jsonPath: '.status.sealed' },
    { name: 'Seal', type: 'string', jsonPath: '.status.sealType' },
    { name: 'Active', type: 'string', jsonPath: '.status.activePod' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    {
      name: 'Reason',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='Ready')].reason",
      priority: 1,
    },
    { name: 'Version', type: 'string', jsonPath: '.status.version', priority: 1 },
    {
      name: 'HSM',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='HSMReachable')].status",
      priority: 1,
    },
    // A date column shows an age, and nothing of what is to come.
    { name: 'Certificate', type: 'string', jsonPath: '.status.certificateExpires', priority: 1 },
  ],
};
