import type { ObjectKey, ResourceType } from '../runtime.ts';

/** @returns the path of a collection; of all namespaces, or of a kind without them, when none is given. */
export function collectionPath(type: ResourceType, namespace?: string): string {
  const root = type.apiVersion.includes('/') ? `/apis/${type.apiVersion}` : `/api/${type.apiVersion}`;
  return namespace === undefined || namespace === ''
    ? `${root}/${type.plural}`
    : `${root}/namespaces/${encodeURIComponent(namespace)}/${type.plural}`;
}

/** @returns the path of an object. */
export function objectPath(
  type: ResourceType,
  key: { readonly namespace?: string; readonly name: string },
): string {
  return `${collectionPath(type, key.namespace)}/${encodeURIComponent(key.name)}`;
}

/** @returns a path with those query parameters that have a value. */
export function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, value);
  const text = parameters.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** One text for a key, and back; a namespace or name never holds a slash. */
export function keyText(key: ObjectKey): string {
  return `${key.namespace}/${key.name}`;
}

/** @returns the key that keyText made a text of. */
export function parseKey(text: string): ObjectKey {
  const slash = text.indexOf('/');
  return { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
}

/** @returns one text for a kind, in logs and as a key of maps. */
export function typeText(type: ResourceType): string {
  return `${type.plural}.${type.apiVersion}`;
}
