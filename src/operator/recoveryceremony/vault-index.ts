import type { KubeObject, ObjectKey } from '../runtime/runtime.ts';

/** Which unfinished ceremonies wait for which vault. */
export class VaultIndex {
  readonly #vaults = new Map<string, { readonly key: ObjectKey; readonly vault: string }>();

  set(key: ObjectKey, vault: string): void {
    this.#vaults.set(`${key.namespace}/${key.name}`, { key, vault });
  }

  forget(key: ObjectKey): void {
    this.#vaults.delete(`${key.namespace}/${key.name}`);
  }

  keysOf({ metadata }: KubeObject): readonly ObjectKey[] {
    return [...this.#vaults.values()]
      .filter(({ key, vault }) => key.namespace === metadata.namespace && vault === metadata.name)
      .map(({ key }) => key);
  }
}
