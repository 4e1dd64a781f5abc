import { isJsonObject, type Json } from '../json.ts';

/** A point in time; milliseconds since the epoch. */
export class CelTime {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
}

/** A span of time in seconds. */
export class CelDuration {
  readonly seconds: number;
  constructor(seconds: number) {
    this.seconds = seconds;
  }
}

/** A message that a program made. */
export class CelMessage {
  readonly type: string;
  readonly fields: ReadonlyMap<string, CelValue>;
  constructor(type: string, fields: ReadonlyMap<string, CelValue>) {
    this.type = type;
    this.fields = fields;
  }
}

export type CelKey = string | bigint | boolean;

/** A value: integers are bigints, other numbers doubles. */
export type CelValue =
  | null
  | boolean
  | bigint
  | number
  | string
  | readonly CelValue[]
  | ReadonlyMap<CelKey, CelValue>
  | CelTime
  | CelDuration
  | CelMessage;

/** JSON as programs see it: whole numbers are doubles too. */
export function fromJson(json: Json): CelValue {
  if (Array.isArray(json)) return json.map(fromJson);
  if (isJsonObject(json)) return new Map(Object.entries(json).map(([key, value]) => [key, fromJson(value)]));
  return typeof json === 'object' && json !== null ? Number(json.rawJSON) : json;
}

export function isMap(value: CelValue): value is ReadonlyMap<CelKey, CelValue> {
  return value instanceof Map;
}

export function isList(value: CelValue): value is readonly CelValue[] {
  return Array.isArray(value);
}

/** Equality over all types: numbers by value, anything of different types is not equal. */
export function isEqual(a: CelValue, b: CelValue): boolean {
  if (isList(a) && isList(b))
    return a.length === b.length && a.every((each, index) => isEqual(each, b[index] ?? null));
  if (isMap(a) && isMap(b)) {
    if (a.size !== b.size) return false;
    for (const [key, value] of a) {
      const other = b.get(key);
      if (other === undefined || !isEqual(value, other)) return false;
    }
    return true;
  }
  if (a instanceof CelTime && b instanceof CelTime) return a.ms === b.ms;
  if (a instanceof CelDuration && b instanceof CelDuration) return a.seconds === b.seconds;
  // Integers and doubles compare by value.
  // oxlint-disable-next-line eqeqeq
  return isNumber(a) && isNumber(b) ? a == b : a === b;
}

export function isNumber(value: CelValue): value is bigint | number {
  return typeof value === 'bigint' || typeof value === 'number';
}
