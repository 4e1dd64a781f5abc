import { CelFault } from './fault.ts';
import { CelDuration, CelTime, type CelValue, isList, isNumber } from './values.ts';

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

/** Arithmetic and order. @throws CelFault */
export function applyOperator(op: string, a: CelValue, b: CelValue): CelValue {
  if (['<', '<=', '>', '>='].includes(op)) return order(op, a, b);
  if (typeof a === 'bigint' && typeof b === 'bigint') return integer(op, a, b);
  if (typeof a === 'number' && typeof b === 'number') return double(op, a, b);
  if (op === '+') {
    if (typeof a === 'string' && typeof b === 'string') return a + b;
    if (isList(a) && isList(b)) return [...a, ...b];
    if (a instanceof CelTime && b instanceof CelDuration) return new CelTime(a.ms + b.seconds * 1000);
    if (a instanceof CelDuration && b instanceof CelTime) return new CelTime(b.ms + a.seconds * 1000);
    if (a instanceof CelDuration && b instanceof CelDuration) return new CelDuration(a.seconds + b.seconds);
  }
  if (op === '-') {
    if (a instanceof CelTime && b instanceof CelTime) return new CelDuration((a.ms - b.ms) / 1000);
    if (a instanceof CelTime && b instanceof CelDuration) return new CelTime(a.ms - b.seconds * 1000);
    if (a instanceof CelDuration && b instanceof CelDuration) return new CelDuration(a.seconds - b.seconds);
  }
  throw new CelFault(`no such overload: ${op}`);
}

export function negate(value: CelValue): CelValue {
  if (typeof value === 'bigint') return inRange(-value);
  if (typeof value === 'number') return -value;
  throw new CelFault('no such overload: -');
}

/** @throws CelFault for integers beyond 64 bits */
export function inRange(value: bigint): bigint {
  if (value < MIN || value > MAX) throw new CelFault('integer overflow');
  return value;
}

function order(op: string, a: CelValue, b: CelValue): boolean {
  const difference = compare(a, b);
  switch (op) {
    case '<':
      return difference < 0;
    case '<=':
      return difference <= 0;
    case '>':
      return difference > 0;
    default:
      return difference >= 0;
  }
}

function compare(a: CelValue, b: CelValue): number {
  const sign = <T extends bigint | number | string | boolean>(x: T, y: T): number =>
    x < y ? -1 : x > y ? 1 : x === y ? 0 : Number.NaN;
  if (typeof a === 'string' && typeof b === 'string') return sign(a, b);
  if (typeof a === 'boolean' && typeof b === 'boolean') return sign(a, b);
  if (a instanceof CelTime && b instanceof CelTime) return sign(a.ms, b.ms);
  if (a instanceof CelDuration && b instanceof CelDuration) return sign(a.seconds, b.seconds);
  // JavaScript orders integers and doubles by their exact values.
  if (isNumber(a) && isNumber(b)) return a < b ? -1 : a > b ? 1 : 0;
  throw new CelFault('no such overload: order');
}

function integer(op: string, a: bigint, b: bigint): bigint {
  if ((op === '/' || op === '%') && b === 0n) throw new CelFault('division by zero');
  switch (op) {
    case '+':
      return inRange(a + b);
    case '-':
      return inRange(a - b);
    case '*':
      return inRange(a * b);
    case '/':
      return inRange(a / b);
    default:
      return a % b;
  }
}

function double(op: string, a: number, b: number): number {
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    default:
      throw new CelFault('no such overload: %');
  }
}
