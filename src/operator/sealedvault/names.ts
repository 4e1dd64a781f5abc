import type { KubeObject, ObjectKey, ObjectMeta, OwnerReference } from '../runtime/runtime.ts';
import { SEALED_VAULT } from './kind.ts';

/** Names, labels and paths that several objects of a vault agree on. */

export const PORT = 8200;
export const VAULT_LABEL = 'sealedvault.io/vault';
/** Of the ConfigMap that says under which HSM a vault is. */
export const SEAL_LABEL = 'sealedvault.io/seal';
export const ACTIVE_LABEL = 'sealedvault.io/active';
export const PIN_REVISION = 'sealedvault.io/pin-revision';
export const CONFIG_REVISION = 'sealedvault.io/config-revision';
/** The identity that alone may initialize a vault. */
export const INIT_CLIENT = 'sealedvault-operator';

export interface VaultNames {
  readonly key: ObjectKey;
  readonly headless: string;
  readonly active: string;
  readonly ceremony: string;
  readonly config: string;
  /** ConfigMap with the certificates to trust. */
  readonly trust: string;
  /** Secret with the server's certificate and key. */
  readonly tls: string;
  /** Secret with the authority, in the operator's namespace. */
  readonly authority: string;
}

/** @returns the names of everything that a vault owns. */
export function namesOf(key: ObjectKey): VaultNames {
  const { namespace, name } = key;
  return {
    key,
    headless: `${name}-headless`,
    active: `${name}-active`,
    ceremony: `${name}-ceremony`,
    config: `${name}-config`,
    trust: `${name}-ca`,
    tls: `${name}-tls`,
    // A namespace has no dot in its name, so no two vaults share this.
    authority: `${namespace}.${name}-ca`,
  };
}

/** Labels by which Services and budgets find a vault's pods; they never change. */
export function selectorLabels(key: ObjectKey): Record<string, string> {
  return { 'app.kubernetes.io/name': 'sealedvault', [VAULT_LABEL]: key.name };
}

/** Labels of everything that belongs to a vault. */
export function labelsOf(key: ObjectKey): Record<string, string> {
  return {
    ...selectorLabels(key),
    'app.kubernetes.io/component': 'vault',
    'app.kubernetes.io/managed-by': 'sealedvault',
    'app.kubernetes.io/part-of': 'sealedvault',
  };
}

/** The label selector of a vault's pods and claims as text. */
export function selectorText(key: ObjectKey): string {
  return Object.entries(selectorLabels(key))
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
}

/** Metadata of an object that the vault owns: it goes with it. */
export function ownedMeta(owner: KubeObject, name: string): ObjectMeta {
  const key = { namespace: owner.metadata.namespace ?? '', name: owner.metadata.name };
  return { name, namespace: key.namespace, labels: labelsOf(key), ownerReferences: [ownerOf(owner)] };
}

/** The name by which a pod's certificate is verified. */
export function podServerName(pod: string, key: ObjectKey): string {
  return `${pod}.${namesOf(key).headless}.${key.namespace}.svc`;
}

function ownerOf(owner: KubeObject): OwnerReference {
  return {
    apiVersion: SEALED_VAULT.apiVersion,
    kind: SEALED_VAULT.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}
