import type { KubeObject } from '../../runtime/runtime.ts';
import type { SealedVault } from '../kind.ts';
import type { HsmSpec } from '../spec.ts';
import { ACTIVE_LABEL, namesOf, ownedMeta, PORT, selectorLabels } from '../names.ts';

/** How a vault is reached, and what it may reach. */
export function services(vault: SealedVault): readonly KubeObject[] {
  const key = { namespace: vault.metadata.namespace ?? '', name: vault.metadata.name };
  const names = namesOf(key);
  const pods = selectorLabels(key);
  const service = (name: string, spec: object): KubeObject =>
    ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: ownedMeta(vault, name),
      spec: { ports: [{ name: 'https', port: PORT, targetPort: PORT, protocol: 'TCP' }], ...spec },
    }) as KubeObject;
  return [
    // A sealed pod needs a name too: it is how the operator initializes it.
    service(names.headless, { clusterIP: 'None', publishNotReadyAddresses: true, selector: pods }),
    service(names.active, { selector: { ...pods, [ACTIVE_LABEL]: 'true' } }),
    service(names.ceremony, { publishNotReadyAddresses: true, selector: pods }),
  ];
}

/** Evictions: one pod at a time; a pod that does not serve holds up no drain. */
export function disruptionBudget(vault: SealedVault): KubeObject {
  const key = { namespace: vault.metadata.namespace ?? '', name: vault.metadata.name };
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: ownedMeta(vault, vault.metadata.name),
    spec: {
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: selectorLabels(key) },
    },
  } as KubeObject;
}

/**
 * Anybody may reach port 8200; the pod may reach the HSMs in `spec.hsm.network`, and names' servers when there are any.
 * Nothing else of a vault needs a connection outwards, and a pod that knows a PIN should not be able to make one.
 * @param next the HSM that a ceremony moves the vault to
 */
export function networkPolicy(vault: SealedVault, next?: HsmSpec): KubeObject {
  const key = { namespace: vault.metadata.namespace ?? '', name: vault.metadata.name };
  const egress = [...vault.spec.hsm.network, ...(next?.network ?? [])].map(({ cidr, ports }) => ({
    to: [{ ipBlock: { cidr } }],
    ...(ports.length === 0 ? {} : { ports: ports.map((port) => ({ port, protocol: 'TCP' })) }),
  }));
  const dns = {
    ports: [
      { port: 53, protocol: 'UDP' },
      { port: 53, protocol: 'TCP' },
    ],
  };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: ownedMeta(vault, vault.metadata.name),
    spec: {
      podSelector: { matchLabels: selectorLabels(key) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ ports: [{ port: PORT, protocol: 'TCP' }] }],
      egress: egress.length === 0 ? [] : [...egress, dns],
    },
  } as KubeObject;
}

/** The pods' identity, which can do nothing. */
export function serviceAccount(vault: SealedVault): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: ownedMeta(vault, vault.metadata.name),
    automountServiceAccountToken: false,
  } as KubeObject;
}
