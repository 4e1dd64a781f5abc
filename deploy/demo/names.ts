import type { KubernetesObject } from '../../test/support/cluster/api.ts';

/** Names that the samples use. */
export const names = {
  vault: 'demo',
  ceremony: 'demo-init',
  pin: 'hsm',
  custodianKeys: 'custodian-keys',
  token: 'softhsm',
} as const;

/** Where the demo's objects live. */
export const namespaces = { operator: 'sealedvault-system', vault: 'sealedvault-demo' } as const;

/** The phases in which a resource is done. */
export const done = { vault: 'Ready', ceremony: 'Completed' } as const;

/** Key of the message in a share's Secret. */
export const shareKey = 'share.asc';

/** Key of the message in the root token's Secret. */
export const rootTokenKey = 'root-token.asc';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

/** A custom resource as far as its progress shows. */
export interface Progressing extends KubernetesObject {
  readonly status?: { readonly phase?: string; readonly conditions?: readonly Condition[] };
}

/**
 * A Secret.
 * @param name Its name.
 * @param stringData Its values.
 * @returns The object.
 */
export function secret(name: string, stringData: Record<string, string>): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData };
}

/**
 * Puts an object into the vault's namespace.
 * @param object The object.
 * @returns A copy with the namespace.
 */
export function inNamespace(object: KubernetesObject): KubernetesObject {
  return { ...object, metadata: { ...object.metadata, namespace: namespaces.vault } };
}
