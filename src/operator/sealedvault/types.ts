import type { ResourceType } from '../runtime/runtime.ts';

/** Where the kinds live that a vault is made of. */
const core = (kind: string, plural: string): ResourceType => ({ apiVersion: 'v1', kind, plural });

export const CONFIG_MAP: ResourceType = core('ConfigMap', 'configmaps');
export const PERSISTENT_VOLUME_CLAIM: ResourceType = core('PersistentVolumeClaim', 'persistentvolumeclaims');
export const POD: ResourceType = core('Pod', 'pods');
export const SECRET: ResourceType = core('Secret', 'secrets');
export const SERVICE: ResourceType = core('Service', 'services');
export const SERVICE_ACCOUNT: ResourceType = core('ServiceAccount', 'serviceaccounts');
export const STATEFUL_SET: ResourceType = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  plural: 'statefulsets',
};
export const POD_DISRUPTION_BUDGET: ResourceType = {
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
};
export const NETWORK_POLICY: ResourceType = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
};
