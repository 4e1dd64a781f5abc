import { matchesGlob } from '../../../lib/glob.ts';
import { isJsonObject, type Json, type JsonObject, member } from '../../../lib/json.ts';

/** A claim that is not of a kind that can be used. */
export class ClaimFailure {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** A claim by its name, or by a JSON pointer (RFC 6901) when it begins with a slash. */
export function claimAt(claims: JsonObject, name: string): Json | undefined {
  const value = name.startsWith('/') ? pointed(claims, name) : member(claims, name);
  if (value === null) return undefined;
  return name === 'aud' && typeof value === 'string' ? [value] : value;
}

/** The metadata that the mappings make of claims. @returns why not */
export function mapClaims(
  claims: JsonObject,
  mappings: Readonly<Record<string, string>>,
): Record<string, string> | ClaimFailure {
  const metadata: [string, string][] = [];
  for (const [source, target] of Object.entries(mappings)) {
    const value = claimAt(claims, source);
    if (value === undefined) continue;
    if (typeof value !== 'string') return new ClaimFailure(`error converting claim '${source}' to string`);
    metadata.push([target, value]);
  }
  return Object.fromEntries(metadata);
}

/** @returns why the claims are not what a role binds them to, or undefined when they are */
export function notBoundBy(
  bound: JsonObject,
  claims: JsonObject,
  type: 'string' | 'glob',
): string | undefined {
  for (const [name, expected] of Object.entries(bound)) {
    const actual = claimAt(claims, name);
    if (actual === undefined) return `claim ${JSON.stringify(name)} is missing`;
    const given = listOf(actual);
    const wanted = listOf(expected);
    if (given === undefined) return 'received claim is not a string, bool, int or list';
    if (wanted === undefined) return 'bound claim is not a string, bool, int or list';
    if (!wanted.some((one) => given.some((each) => fits(one, each, type))))
      return `claim ${JSON.stringify(name)} does not match any associated bound claim values`;
  }
  return undefined;
}

/** A scalar is a list of one, as providers make of lists of one. */
export function listOf(value: Json): Json[] | undefined {
  if (Array.isArray(value)) return value;
  return value === null || isJsonObject(value) ? undefined : [value];
}

function fits(wanted: Json, given: Json, type: 'string' | 'glob'): boolean {
  if (type === 'glob')
    return typeof wanted === 'string' && typeof given === 'string' && matchesGlob(wanted, given);
  return JSON.stringify(wanted) === JSON.stringify(given);
}

function pointed(claims: JsonObject, pointer: string): Json | undefined {
  let value: Json | undefined = claims;
  for (const part of pointer.slice(1).split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (Array.isArray(value)) value = /^\d+$/.test(name) ? value[Number(name)] : undefined;
    else value = value !== undefined && isJsonObject(value) ? member(value, name) : undefined;
  }
  return value;
}
