import { parseDuration } from '../../lib/duration.ts';
import { isJsonObject, type Json, type JsonObject } from '../../lib/json.ts';

/**
 * Field types of the API, with the lenient conversions Vault documents: `"true"` is a boolean, `"5"` a number,
 * `"a,b"` a list, `"1h"` a duration. One table of these validates, fills in defaults and describes itself.
 */
export interface FieldTypes {
  string: string;
  int: number;
  bool: boolean;
  /** Seconds. */
  duration: number;
  /** A list, or text split at commas; blanks trimmed, empty items dropped. */
  commaList: string[];
  /** A list of text; a single text is a list of one. */
  stringList: string[];
  intList: number[];
  /** Text to text: an object, or a list (or one) of `key=value`, as command lines send it. */
  stringMap: Record<string, string>;
  object: JsonObject;
  any: Json;
}

export interface Field<T extends keyof FieldTypes = keyof FieldTypes> {
  readonly type: T;
  readonly description: string;
  readonly required?: boolean;
  readonly default?: FieldTypes[T];
  /** Also read from the query string. */
  readonly query?: boolean;
  /** A duration that may be negative; of others a negative one is refused. */
  readonly signed?: boolean;
  /** Kept for old clients. */
  readonly deprecated?: boolean;
}

export type Fields = Readonly<Record<string, Field>>;

/** The values that a table of fields yields: present when given or when there is a default. */
export type FieldValues<F extends Fields> = {
  [K in keyof F]: F[K] extends { default: unknown } | { required: true }
    ? FieldTypes[F[K]['type']]
    : FieldTypes[F[K]['type']] | undefined;
};

/** A value that cannot be converted. The message names the field, never the value. */
export class FieldRefusal {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** Reads declared fields from a body and a query string; unknown ones are ignored, names match without regard to case. */
export function readFields<F extends Fields>(
  fields: F,
  body: JsonObject,
  query: URLSearchParams | undefined,
  pathValues: Readonly<Record<string, string>>,
): FieldValues<F> | FieldRefusal {
  const values: Record<string, unknown> = {};
  for (const name in fields) {
    const field = fields[name];
    if (field === undefined) continue;
    const given =
      pathValues[name] ??
      lookup(body, name) ??
      (field.query === true ? (query?.get(name) ?? undefined) : undefined);
    if (given === undefined || given === null) {
      if (field.default !== undefined) values[name] = field.default;
      continue;
    }
    const converted = convert(field.type, given);
    if (converted === undefined) {
      return new FieldRefusal(
        `Field validation failed: error converting input for field "${name}": expected type ${describe(field.type)}`,
      );
    }
    if (field.type === 'duration' && field.signed !== true && Number(converted) < 0) {
      return new FieldRefusal(
        `Field validation failed: error converting input for field "${name}": cannot provide negative value '${Number(converted)}'`,
      );
    }
    values[name] = converted;
  }
  return values as FieldValues<F>;
}

function lookup(body: JsonObject, name: string): Json | undefined {
  if (Object.hasOwn(body, name)) return body[name];
  for (const key in body) if (key.length === name.length && key.toLowerCase() === name) return body[key];
  return undefined;
}

function describe(type: keyof FieldTypes): string {
  const names: Record<keyof FieldTypes, string> = {
    string: 'string',
    int: 'int',
    bool: 'bool',
    duration: 'duration',
    commaList: 'comma-separated list',
    stringList: 'list of strings',
    intList: 'list of numbers',
    stringMap: 'map of strings',
    object: 'map',
    any: 'value',
  };
  return names[type];
}

function convert(type: keyof FieldTypes, value: Json): unknown {
  switch (type) {
    case 'string':
      return scalar(value);
    case 'int':
      return integer(value);
    case 'bool':
      return boolean(value);
    case 'duration': {
      const seconds = parseDuration(value);
      return seconds === undefined ? undefined : seconds < 0 ? Math.floor(seconds) : Math.trunc(seconds);
    }
    case 'commaList':
      return list(typeof value === 'string' ? value.split(',') : value);
    case 'stringList':
      return list(value);
    case 'intList': {
      const items = Array.isArray(value) ? value : typeof value === 'string' ? value.split(',') : [value];
      const numbers = items.map(integer);
      return numbers.includes(undefined) ? undefined : numbers;
    }
    case 'stringMap':
      return stringMap(value);
    case 'object':
      return isJsonObject(value) ? value : undefined;
    case 'any':
      return value;
  }
}

function scalar(value: Json): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return JSON.isRawJSON(value) ? value.rawJSON : undefined;
}

function integer(value: Json): number | undefined {
  const number = typeof value === 'string' && /^\s*[+-]?\d+\s*$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : undefined;
}

function boolean(value: Json): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return value !== 0;
  if (typeof value !== 'string') return undefined;
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  return ['0', 'f', 'F', 'false', 'FALSE', 'False', ''].includes(value) ? false : undefined;
}

function list(value: Json): string[] | undefined {
  const items = Array.isArray(value) ? value : [value];
  const texts = items.map(scalar);
  if (texts.includes(undefined)) return undefined;
  return texts.map((text) => (text ?? '').trim()).filter((text) => text !== '');
}

function stringMap(value: Json): Record<string, string> | undefined {
  const entries: [string, string][] = [];
  if (!isJsonObject(value)) {
    for (const pair of Array.isArray(value) ? value : [value]) {
      const equals = typeof pair === 'string' ? pair.indexOf('=') : -1;
      if (typeof pair !== 'string' || equals === -1) return undefined;
      entries.push([pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()]);
    }
    return Object.fromEntries(entries);
  }
  for (const [key, each] of Object.entries(value)) {
    const text = scalar(each);
    if (text === undefined) return undefined;
    entries.push([key, text]);
  }
  return Object.fromEntries(entries);
}
