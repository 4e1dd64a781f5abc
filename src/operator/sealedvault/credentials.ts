import type { Cache } from '../runtime/runtime.ts';
import type { SealedVault } from './kind.ts';
import type { SealRecord } from './seal-record.ts';
import { SECRET } from './types.ts';

/**
 * The Secrets with slot and PIN: whether they are there and whether they changed. Their content never comes here;
 * the watch asks for metadata only, and the kubelet alone reads the values.
 */
export type Credentials =
  | { readonly state: 'found'; readonly revision: string }
  | { readonly state: 'missing'; readonly names: readonly string[] }
  /** The operator may not see the Secrets of the namespace. */
  | { readonly state: 'unreadable' }
  /** The watch has only begun. */
  | { readonly state: 'unknown' };

/** @returns the names of the Secrets that a vault's pod takes its credentials from. */
export function credentialSecrets({ inForce, next }: SealRecord): readonly string[] {
  const names = [inForce, ...(next === undefined ? [] : [next.hsm])]
    .flatMap(({ slotFrom, pinFrom }) => [slotFrom, pinFrom])
    .filter((each) => each !== undefined)
    .map(({ secretKeyRef }) => secretKeyRef.name);
  return [...new Set(names)];
}

// A watch that is allowed has listed a namespace's Secrets long before.
const PATIENCE_MS = 10_000;

/** Knows since when the Secrets of a namespace have not been seen: a watch that has only begun is no missing permission. */
export class CredentialWatch {
  readonly #unseen = new Map<string, number>();

  /** Looks for a vault's Secrets in what the watch knows. */
  observe(vault: SealedVault, seal: SealRecord, cache: Cache, now: number): Credentials {
    const namespace = vault.metadata.namespace ?? '';
    if (cache.isSynced(SECRET, namespace)) {
      this.#unseen.delete(namespace);
      return look(seal, namespace, cache);
    }
    const since = this.#unseen.get(namespace) ?? now;
    this.#unseen.set(namespace, since);
    return { state: now - since < PATIENCE_MS ? 'unknown' : 'unreadable' };
  }
}

function look(seal: SealRecord, namespace: string, cache: Cache): Credentials {
  const found = credentialSecrets(seal).map((name) => ({
    name,
    metadata: cache.get(SECRET, { namespace, name })?.metadata,
  }));
  const missing = found.filter(({ metadata }) => metadata === undefined).map(({ name }) => name);
  if (missing.length > 0) return { state: 'missing', names: missing };
  // A Secret that was deleted and made again has another uid; one that was changed, another version.
  const revision = found.map(({ metadata }) => `${metadata?.uid}/${metadata?.resourceVersion}`).join(',');
  return { state: 'found', revision };
}

/** The commands that let the operator see the Secrets of a namespace. */
export function grantCommand(namespace: string, operatorNamespace: string): string {
  return (
    `kubectl create role sealedvault-secrets --namespace ${namespace} --resource=secrets` +
    ' --verb=get,list,watch,create,patch,update,delete' +
    ` && kubectl create rolebinding sealedvault-secrets --namespace ${namespace} --role=sealedvault-secrets` +
    ` --serviceaccount=${operatorNamespace}:sealedvault`
  );
}
