import { isDeepStrictEqual } from 'node:util';
import type { Json, JsonObject } from '../../lib/json.ts';
import type { Capability, Parameters, PathRule } from './rule.ts';

/** What all rules of one path grant together. */
export type Grant = Omit<PathRule, 'path'>;

/** Adds another rule of the same path. Capabilities and parameters add up, the shortest TTLs count, deny wins. */
export function mergeGrants(a: Grant, b: Grant): Grant {
  if (a.capabilities.has('deny')) return a;
  if (b.capabilities.has('deny')) return { ...NOTHING, capabilities: new Set<Capability>(['deny']) };
  return {
    capabilities: new Set([...a.capabilities, ...b.capabilities]),
    allowedParameters: mergeParameters(a.allowedParameters, b.allowedParameters),
    deniedParameters: mergeParameters(a.deniedParameters, b.deniedParameters),
    requiredParameters: [...new Set([...a.requiredParameters, ...b.requiredParameters])],
    minWrappingTtl: shorter(a.minWrappingTtl, b.minWrappingTtl),
    maxWrappingTtl: shorter(a.maxWrappingTtl, b.maxWrappingTtl),
  };
}

export const NOTHING: Grant = {
  capabilities: new Set(),
  allowedParameters: new Map(),
  deniedParameters: new Map(),
  requiredParameters: [],
  minWrappingTtl: 0,
  maxWrappingTtl: 0,
};

// An empty list stands for every value, and so swallows the other.
function mergeParameters(a: Parameters, b: Parameters): Parameters {
  const merged = new Map(a);
  for (const [name, values] of b) {
    const before = merged.get(name);
    const all = values.length === 0 || before?.length === 0;
    merged.set(name, all ? [] : [...values, ...(before ?? [])]);
  }
  return merged;
}

function shorter(a: number, b: number): number {
  return a === 0 || b === 0 ? Math.max(a, b) : Math.min(a, b);
}

/** @param wrapTtl seconds; undefined when no wrapping was asked for */
export function wrappingAllowed(grant: Grant, wrapTtl: number | undefined): boolean {
  const { minWrappingTtl: min, maxWrappingTtl: max } = grant;
  if (max > 0 && (wrapTtl === undefined || wrapTtl > max)) return false;
  if (min > 0 && (wrapTtl === undefined || wrapTtl < min)) return false;
  return min === 0 || max === 0 || max >= min;
}

/** Whether a grant looks at parameters at all. */
export function rulesOnParameters(grant: Grant): boolean {
  const { allowedParameters: allowed, deniedParameters: denied, requiredParameters: required } = grant;
  return allowed.size > 0 || denied.size > 0 || required.length > 0;
}

/**
 * Whether required, denied and allowed parameters let a request through.
 * @param folded names of parameters that are in lower case already: so are the values of rules then
 */
export function parametersAllowed(
  grant: Grant,
  parameters: JsonObject,
  folded: ReadonlySet<string>,
): boolean {
  const { allowedParameters: allowed, deniedParameters: denied, requiredParameters: required } = grant;
  if (!required.every((name) => Object.hasOwn(parameters, name))) return false;
  const given = Object.entries(parameters);
  if (given.length === 0) return true;
  if (denied.has('*')) return false;
  const ruled = (rules: Parameters, name: string): readonly Json[] | undefined => {
    const values = rules.get(name.toLowerCase());
    return values !== undefined && folded.has(name) ? values.map(inLowerCase) : values;
  };
  for (const [name, value] of given) {
    const values = ruled(denied, name);
    if (values !== undefined && isDenied(value, values)) return false;
  }
  if (allowed.size === 0 || (allowed.size === 1 && allowed.has('*'))) return true;
  return given.every(([name, value]) => {
    const values = ruled(allowed, name);
    return values === undefined ? allowed.has('*') : isAllowed(value, values);
  });
}

function inLowerCase(value: Json): Json {
  if (typeof value === 'string') return value.toLowerCase();
  return Array.isArray(value) ? value.map(inLowerCase) : value;
}

/** A list is denied as soon as one of its elements is. */
function isDenied(value: Json, list: readonly Json[]): boolean {
  if (list.length === 0 || isListed(value, list)) return true;
  // What an endpoint trims by itself must not pass for something else.
  if (typeof value === 'string' && value !== value.trim()) return isDenied(value.trim(), list);
  return Array.isArray(value) && value.some((item) => isDenied(item, list));
}

/** A list is allowed when it is listed as a whole, or each of its elements is. */
function isAllowed(value: Json, list: readonly Json[]): boolean {
  if (list.length === 0 || isListed(value, list)) return true;
  return Array.isArray(value) && value.length > 0 && value.every((item) => isListed(item, list));
}

function isListed(value: Json, list: readonly Json[]): boolean {
  return list.some((each) =>
    typeof each === 'string' && typeof value === 'string' ? globbed(each, value) : same(each, value),
  );
}

// Maps of policies have no prototype, those of requests have: only their content counts.
function same(a: Json, b: Json): boolean {
  return typeof a === 'object' && typeof b === 'object'
    ? isDeepStrictEqual(structuredClone(a), structuredClone(b))
    : a === b;
}

/** `*` at either end of the pattern, or at both. */
function globbed(pattern: string, value: string): boolean {
  if (pattern.length < 2) return pattern === '*' || pattern === value;
  const start = pattern.startsWith('*');
  const end = pattern.endsWith('*');
  if (start && end) return value.includes(pattern.slice(1, -1));
  if (start) return value.endsWith(pattern.slice(1));
  return end ? value.startsWith(pattern.slice(0, -1)) : pattern === value;
}
