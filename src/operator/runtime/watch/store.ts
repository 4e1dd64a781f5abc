import { keyText } from '../api/paths.ts';
import type { KubeObject, ObjectKey } from '../runtime.ts';

/** An object before and after; one of them is missing when it appeared or went. */
export type StoreListener = (before: KubeObject | undefined, after: KubeObject | undefined) => void;

/**
 * The objects of one kind, as the API server last told. Objects are deep-frozen, and without managedFields,
 * which would be most of their size.
 */
export class Store {
  readonly #namespaces = new Map<string, Map<string, KubeObject>>();
  readonly #owners = new Map<string, Set<string>>();
  readonly #listener: StoreListener;

  constructor(listener: StoreListener) {
    this.#listener = listener;
  }

  get(key: ObjectKey): KubeObject | undefined {
    return this.#namespaces.get(key.namespace)?.get(key.name);
  }

  /** Objects of a namespace, or all of them. */
  list(namespace?: string): readonly KubeObject[] {
    if (namespace !== undefined) return [...(this.#namespaces.get(namespace)?.values() ?? [])];
    return [...this.#namespaces.values()].flatMap((objects) => [...objects.values()]);
  }

  /** Objects whose controlling owner has this uid. */
  ownedBy(uid: string): readonly KubeObject[] {
    const objects: KubeObject[] = [];
    for (const text of this.#owners.get(uid) ?? []) {
      const slash = text.indexOf('/');
      const object = this.get({ namespace: text.slice(0, slash), name: text.slice(slash + 1) });
      if (object !== undefined) objects.push(object);
    }
    return objects;
  }

  /** Takes what a whole list said of a namespace, or of all of them: what is not in it is gone. */
  replace(namespace: string | undefined, objects: readonly KubeObject[]): void {
    const present = new Set(objects.map((object) => keyText(keyOf(object))));
    for (const before of this.list(namespace)) if (!present.has(keyText(keyOf(before)))) this.remove(before);
    for (const object of objects) this.put(object);
  }

  /** Takes one object. The same version again is no news. */
  put(object: KubeObject): void {
    const key = keyOf(object);
    const before = this.get(key);
    if (before !== undefined && !isNews(before, object)) return;
    if (before !== undefined) this.#disown(before);
    const after = deepFreeze(withoutManagedFields(object));
    let objects = this.#namespaces.get(key.namespace);
    if (objects === undefined) {
      objects = new Map();
      this.#namespaces.set(key.namespace, objects);
    }
    objects.set(key.name, after);
    const owner = controllerOf(after)?.uid;
    if (owner !== undefined) {
      const owned = this.#owners.get(owner) ?? new Set();
      this.#owners.set(owner, owned.add(keyText(key)));
    }
    this.#listener(before, after);
  }

  remove(object: KubeObject): void {
    const key = keyOf(object);
    const before = this.get(key);
    if (before === undefined) return;
    this.#disown(before);
    const objects = this.#namespaces.get(key.namespace);
    objects?.delete(key.name);
    if (objects?.size === 0) this.#namespaces.delete(key.namespace);
    this.#listener(before, undefined);
  }

  #disown(object: KubeObject): void {
    const owner = controllerOf(object)?.uid;
    if (owner === undefined) return;
    const owned = this.#owners.get(owner);
    owned?.delete(keyText(keyOf(object)));
    if (owned?.size === 0) this.#owners.delete(owner);
  }
}

/** @returns where an object is; the namespace is empty for a kind without. */
export function keyOf(object: KubeObject): ObjectKey {
  return { namespace: object.metadata.namespace ?? '', name: object.metadata.name };
}

/** @returns the reference to the owner that controls an object. */
export function controllerOf(
  object: KubeObject,
):
  | { readonly kind: string; readonly apiVersion: string; readonly name: string; readonly uid: string }
  | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

/** Freezes a value of JSON and everything in it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}

// A watch that begins again may tell again what is known, even what is older than what is known.
function isNews(before: KubeObject, after: KubeObject): boolean {
  const { uid, resourceVersion } = before.metadata;
  if (uid !== after.metadata.uid) return true;
  return !knownAlready(after.metadata.resourceVersion, resourceVersion);
}

function knownAlready(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  if (a === b) return true;
  return /^\d+$/.test(a) && /^\d+$/.test(b) && BigInt(a) < BigInt(b);
}

function withoutManagedFields(object: KubeObject): KubeObject {
  const metadata: Record<string, unknown> = { ...object.metadata };
  delete metadata['managedFields'];
  return { ...object, metadata: metadata as unknown as KubeObject['metadata'] };
}
