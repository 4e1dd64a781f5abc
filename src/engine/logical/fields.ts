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
  /** Text to text: an object, a list of objects, or a list (or one) of `key=value`, as command lines send it. */
  stringMap: Record<string, string>;
  /** An object, or a list of objects, whose members add up. */
  object: JsonObject;
  any: Json;
}

export interface Field<T extends keyof FieldTypes = keyof FieldTypes> {
  readonly type: T;
  readonly description: string;
  readonly required?: boolean;
  readonly default?: FieldTypes[T];
  /** On writes also read from the query string; reads, lists and deletions read every field from there. */
  readonly query?: boolean;
  /** A duration that may be negative; of others a negative one is refused. */
  readonly signed?: boolean;
  /** Kept for old clients. */
  readonly deprecated?: boolean;
  /** Text, or each text of a list: blanks around it go, and it is kept in lower case. */
  readonly fold?: boolean;
  /** Text, or each text of a list, that is kept as it is but compared in lower case: a policy judges it so. */
  readonly caseless?: boolean;
  /** Text that the endpoint reads as a list: a policy judges each element between commas. */
  readonly separated?: boolean;
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

/**
 * Reads declared fields; unknown ones are left out.
 * @param given what the client sent, by name
 * @param pathValues what the path holds, which beats what was sent
 * @param anyCase whether names match without regard to case
 */
export function readFields<F extends Fields>(
  fields: F,
  given: JsonObject,
  pathValues: Readonly<Record<string, string>> = {},
  anyCase = false,
): FieldValues<F> | FieldRefusal {
  const values: Record<string, unknown> = {};
  for (const name in fields) {
    const field = fields[name];
    if (field === undefined) continue;
    const value = pathValues[name] ?? lookup(given, name, anyCase);
    const converted = value === undefined ? undefined : convertField(field, value);
    if (converted === null) {
      return new FieldRefusal(
        `Field validation failed: error converting input for field "${name}": expected type ${describe(field.type)}`,
      );
    }
    if (field.type === 'duration' && field.signed !== true && Number(converted) < 0) {
      return new FieldRefusal(
        `Field validation failed: error converting input for field "${name}": cannot provide negative value '${Number(converted)}'`,
      );
    }
    if (converted !== undefined) values[name] = converted;
    else if (field.default !== undefined) values[name] = field.default;
  }
  return values as FieldValues<F>;
}

function lookup(given: JsonObject, name: string, anyCase: boolean): Json | undefined {
  if (Object.hasOwn(given, name)) return given[name];
  if (anyCase)
    for (const key in given) if (key.length === name.length && key.toLowerCase() === name) return given[key];
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

// Go's zero values, which null stands for (Vault's FieldData); a duration, a map and any value are then not given.
const ZERO: { readonly [T in keyof FieldTypes]: FieldTypes[T] | undefined } = {
  string: '',
  int: 0,
  bool: false,
  duration: undefined,
  commaList: [],
  stringList: [],
  intList: [],
  stringMap: undefined,
  object: undefined,
  any: undefined,
};

/** @returns the value as the endpoint gets it; undefined for one that counts as not given, null for one that does not fit */
export function convertField({ type, fold }: Field, value: Json): unknown {
  if (value === null) return ZERO[type];
  const converted = convert(type, value);
  if (converted === undefined) return null;
  return fold === true ? folded(converted) : converted;
}

/** Text, or each text of a list, in lower case and without blanks around it. */
export function folded(value: unknown): unknown {
  if (typeof value === 'string') return value.trim().toLowerCase();
  return Array.isArray(value) ? value.map(folded) : value;
}

function convert(type: keyof FieldTypes, value: Exclude<Json, null>): unknown {
  switch (type) {
    case 'string':
      return scalar(value);
    case 'int':
      return integer(value);
    case 'bool':
      return boolean(value);
    case 'duration': {
      const seconds = parseDuration(JSON.isRawJSON(value) ? Number(value.rawJSON) : value);
      return seconds === undefined ? undefined : seconds < 0 ? Math.floor(seconds) : Math.trunc(seconds);
    }
    case 'commaList':
      return list(typeof value === 'string' ? split(value) : value);
    case 'stringList':
      return list(value);
    case 'intList': {
      const items =
        value === ''
          ? []
          : Array.isArray(value)
            ? value
            : typeof value === 'string'
              ? value.split(',')
              : [value];
      const numbers = items.map(integer);
      return numbers.includes(undefined) ? undefined : numbers;
    }
    case 'stringMap':
      return stringMap(value);
    case 'object':
      return merged(value);
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
  if (value === '') return 0;
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

/** As many as a list of JSON may have, unless the listener's configuration says otherwise. */
const MAX_ITEMS = 10_000;

// What is more than that is one item, which is then no list of anything.
function split(text: string): Json[] {
  const items = text.split(',', MAX_ITEMS + 1);
  return items.length > MAX_ITEMS ? [null] : items;
}

function list(value: Json): string[] | undefined {
  const items = Array.isArray(value) ? value : [value];
  const texts = items.map(scalar);
  if (texts.includes(undefined)) return undefined;
  return texts.map((text) => (text ?? '').trim()).filter((text) => text !== '');
}

// Scripts write a block of HCL as a list with one object.
function merged(value: Json): JsonObject | undefined {
  if (isJsonObject(value)) return value;
  if (!Array.isArray(value) || !value.every(isJsonObject)) return undefined;
  return Object.fromEntries(value.flatMap((each) => Object.entries(each)));
}

function stringMap(value: Json): Record<string, string> | undefined {
  const entries: [string, string][] = [];
  const object = merged(value);
  if (object === undefined) {
    for (const pair of Array.isArray(value) ? value : [value]) {
      const equals = typeof pair === 'string' ? pair.indexOf('=') : -1;
      if (typeof pair !== 'string' || equals < 1) return undefined;
      entries.push([pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()]);
    }
    return Object.fromEntries(entries);
  }
  for (const [key, each] of Object.entries(object)) {
    const text = each === null ? '' : scalar(each);
    if (text === undefined) return undefined;
    entries.push([key, text]);
  }
  return Object.fromEntries(entries);
}
