import { createHash } from 'node:crypto';

/** Lists to which others may add: what is wanted needs only be among them. */
const SHARED_LISTS = new Set([
  'conditions',
  'containers',
  'env',
  'ephemeralContainers',
  'finalizers',
  'imagePullSecrets',
  'initContainers',
  'ownerReferences',
  'ports',
  'volumeDevices',
  'volumeMounts',
  'volumes',
]);

/**
 * Whether a live object already has everything that is wanted. What the API server or others added is no matter;
 * what it drops because it is empty or zero counts as present.
 */
export function contains(live: unknown, wanted: unknown, field = ''): boolean {
  if (live === undefined || live === null) return isEmpty(wanted);
  if (Array.isArray(wanted)) {
    if (!Array.isArray(live)) return false;
    if (SHARED_LISTS.has(field)) return wanted.every((item) => live.some((other) => contains(other, item)));
    return live.length === wanted.length && wanted.every((item, index) => contains(live[index], item));
  }
  if (typeof wanted !== 'object' || wanted === null) return wanted === undefined || wanted === live;
  if (typeof live !== 'object' || Array.isArray(live)) return false;
  return Object.entries(wanted).every(([name, value]) => contains(member(live, name), value, name));
}

/** Whether two values of JSON say the same; an undefined field is a missing one. */
export function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => same(item, b[index]));
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (Array.isArray(a) || Array.isArray(b)) return false;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => same(member(a, name), member(b, name)));
}

/** A hash over all fields and values, whatever their order. */
export function hashOf(value: unknown): string {
  return createHash('sha256').update(canonical(value)).digest('hex').slice(0, 32);
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const fields = Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, inner]) => `${JSON.stringify(name)}:${canonical(inner)}`);
  return `{${fields.join(',')}}`;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.values(value).every((inner) => isEmpty(inner));
}

function member(value: object, name: string): unknown {
  return Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}
