import { RE2JS } from 're2js';
import { parseDuration } from '../duration.ts';
import { CelFault } from './fault.ts';
import { inRange } from './operators.ts';
import { CelDuration, CelTime, type CelValue, isEqual, isList, isMap, isNumber } from './values.ts';

/** What one call may make: a text that grows with each call would soon fill the memory. */
const MAX_TEXT = 1_000_000;
const MAX_PATTERN = 1000;

/** @returns how much a call does, in steps of about 30 nanoseconds */
export function workOf(name: string, args: readonly CelValue[]): number {
  const [a = null, b = null] = args;
  if (isList(a)) return a.length;
  if (typeof a !== 'string') return 0;
  const other = typeof b === 'string' ? b.length : 0;
  // What searches may look at every character of the one text for every one of the other; V8 for 250 at most.
  return (a.length * (SEARCHES.has(name) ? Math.min(other, 250) : 1) + other) / 32;
}

const SEARCHES: ReadonlySet<string> = new Set(['contains', 'indexOf', 'lastIndexOf', 'split', 'replace']);

/** Calls a function of the standard, or of its extension for texts; a method's target comes first. @throws CelFault */
export function callFunction(name: string, args: readonly CelValue[]): CelValue {
  const [a = null, b, c] = args;
  const result =
    args.length === 1
      ? one(name, a)
      : typeof a === 'string' && args.length > 1
        ? ofText(name, a, b ?? null, c)
        : isList(a) && name === 'join' && typeof b === 'string'
          ? texts(a).join(b)
          : undefined;
  if (result === undefined) throw new CelFault(`no such overload: ${name}`);
  if (typeof result === 'string' && result.length > MAX_TEXT) throw new CelFault('the text is too long');
  return result;
}

function one(name: string, value: CelValue): CelValue | undefined {
  switch (name) {
    case 'size':
      if (typeof value === 'string') return BigInt(Array.from(value).length);
      return isList(value) ? BigInt(value.length) : isMap(value) ? BigInt(value.size) : undefined;
    case 'string':
      return textOf(value);
    case 'int':
    case 'uint':
      return integerOf(value);
    case 'double':
      if (isNumber(value)) return Number(value);
      return typeof value === 'string' && value.trim() !== '' && !Number.isNaN(Number(value))
        ? Number(value)
        : undefined;
    case 'bool':
      if (typeof value === 'boolean') return value;
      return value === 'true' ? true : value === 'false' ? false : undefined;
    case 'dyn':
      return value;
    case 'duration': {
      const seconds = typeof value === 'string' ? parseDuration(value) : undefined;
      return value instanceof CelDuration
        ? value
        : seconds === undefined
          ? undefined
          : new CelDuration(seconds);
    }
    case 'timestamp':
      return timeOf(value);
    case 'lowerAscii':
      return typeof value === 'string' ? value.replaceAll(/[A-Z]/g, (x) => x.toLowerCase()) : undefined;
    case 'upperAscii':
      return typeof value === 'string' ? value.replaceAll(/[a-z]/g, (x) => x.toUpperCase()) : undefined;
    case 'trim':
      return typeof value === 'string' ? value.trim() : undefined;
    case 'join':
      return isList(value) ? texts(value).join('') : undefined;
    case 'distinct':
      return isList(value)
        ? value.filter((each, index) => value.findIndex((other) => isEqual(each, other)) === index)
        : undefined;
    default:
      return undefined;
  }
}

function ofText(name: string, text: string, b: CelValue, c: CelValue | undefined): CelValue | undefined {
  if (name === 'substring' && typeof b === 'bigint') {
    const points = Array.from(text);
    const end = c === undefined ? points.length : Number(typeof c === 'bigint' ? c : -1n);
    if (b < 0n || Number(b) > end || end > points.length) throw new CelFault('index out of range');
    return points.slice(Number(b), end).join('');
  }
  if (name === 'charAt' && typeof b === 'bigint') return Array.from(text)[Number(b)] ?? '';
  if (typeof b !== 'string') return undefined;
  switch (name) {
    case 'contains':
      return text.includes(b);
    case 'startsWith':
      return text.startsWith(b);
    case 'endsWith':
      return text.endsWith(b);
    case 'indexOf':
      return BigInt(text.indexOf(b));
    case 'lastIndexOf':
      return BigInt(text.lastIndexOf(b));
    case 'split':
      return text.split(b);
    case 'replace':
      return typeof c === 'string' ? replaced(text, b, c) : undefined;
    default:
      return undefined;
  }
}

function replaced(text: string, part: string, by: string): string {
  const parts = text.split(part);
  if (text.length + parts.length * by.length > MAX_TEXT) throw new CelFault('the text is too long');
  return text.replaceAll(part, () => by);
}

/**
 * A pattern of RE2, as the Common Expression Language promises: no backtracking.
 * @param spend told of the work, in steps, before it is done
 */
export function matches(text: string, pattern: string, spend: (steps: number) => void): boolean {
  if (pattern.length > MAX_PATTERN) throw new CelFault('the pattern is too long');
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch {
    throw new CelFault('the pattern cannot be read');
  }
  const size = compiled.programSize();
  spend(1000 + size + (text.length * size) / 32);
  return compiled.matcher(text).find();
}

function textOf(value: CelValue): string | undefined {
  if (typeof value === 'string') return value;
  if (isNumber(value) || typeof value === 'boolean') return String(value);
  if (value instanceof CelTime) return new Date(value.ms).toISOString();
  return value instanceof CelDuration ? `${value.seconds}s` : undefined;
}

function integerOf(value: CelValue): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number')
    return Number.isFinite(value) ? inRange(BigInt(Math.trunc(value))) : undefined;
  if (typeof value === 'string') return /^[+-]?\d{1,19}$/.test(value) ? inRange(BigInt(value)) : undefined;
  return value instanceof CelTime ? BigInt(Math.floor(value.ms / 1000)) : undefined;
}

function timeOf(value: CelValue): CelTime | undefined {
  if (value instanceof CelTime) return value;
  if (isNumber(value)) return new CelTime(Number(value) * 1000);
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : new CelTime(ms);
}

function texts(list: readonly CelValue[]): string[] {
  return list.map((each) => {
    if (typeof each !== 'string') throw new CelFault('no such overload: join');
    return each;
  });
}
