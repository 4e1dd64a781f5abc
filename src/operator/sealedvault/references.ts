import type { KubeObject, ObjectKey } from '../runtime/runtime.ts';
import { SEALED_VAULT } from './kind.ts';

/** Which vaults refer to which Secret, as their last reconciles said: a Secret does not know who uses it. */
export class ReferenceIndex {
  readonly #bySecret = new Map<string, Map<string, ObjectKey>>();
  readonly #byVault = new Map<string, readonly string[]>();

  /** Replaces what a vault refers to: names of Secrets in its namespace. */
  set(vault: ObjectKey, secrets: readonly string[]): void {
    const id = `${vault.namespace}/${vault.name}`;
    for (const secret of this.#byVault.get(id) ?? []) {
      const users = this.#bySecret.get(secret);
      users?.delete(id);
      if (users?.size === 0) this.#bySecret.delete(secret);
    }
    const keys = secrets.map((name) => `${vault.namespace}/${name}`);
    if (keys.length === 0) this.#byVault.delete(id);
    else this.#byVault.set(id, keys);
    for (const secret of keys) {
      const users = this.#bySecret.get(secret) ?? new Map<string, ObjectKey>();
      users.set(id, vault);
      this.#bySecret.set(secret, users);
    }
  }

  /** The vaults that a Secret concerns: those that refer to it, and the one that owns it. */
  keysOf({ metadata }: KubeObject): readonly ObjectKey[] {
    const namespace = metadata.namespace ?? '';
    const owner = metadata.ownerReferences?.find(
      ({ controller, kind }) => controller === true && kind === SEALED_VAULT.kind,
    );
    const users = this.#bySecret.get(`${namespace}/${metadata.name}`)?.values() ?? [];
    return [...(owner === undefined ? [] : [{ namespace, name: owner.name }]), ...users];
  }
}
