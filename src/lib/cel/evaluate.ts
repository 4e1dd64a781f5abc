import { CelFault } from './fault.ts';
import { callFunction, matches, workOf } from './functions.ts';
import { applyOperator, negate } from './operators.ts';
import type { Expression } from './tree.ts';
import { type CelKey, CelMessage, type CelValue, isEqual, isList, isMap } from './values.ts';

const MAX_STEPS = 1_000_000;
const MAX_WEIGHT = 100_000;

/** The value of an expression. @throws CelFault when it has none */
export function evaluate(tree: Expression, variables: ReadonlyMap<string, CelValue>): CelValue {
  return new Evaluation().value(tree, variables);
}

type Scope = ReadonlyMap<string, CelValue>;

class Evaluation {
  #steps = 0;
  readonly #weights = new WeakMap<object, number>();

  value(tree: Expression, scope: Scope): CelValue {
    this.#spend(1);
    const value = this.#evaluate(tree, scope);
    // A list that holds another twice is soon larger than any memory, once somebody walks through it.
    if (this.#weigh(value) > MAX_WEIGHT) throw new CelFault('the value is too large');
    return value;
  }

  /** How much there is to look at in a value, in steps. */
  #weigh(value: CelValue): number {
    if (typeof value === 'string') return 1 + value.length / 32;
    const parts = isList(value)
      ? value
      : isMap(value)
        ? [...value.values()]
        : value instanceof CelMessage
          ? [...value.fields.values()]
          : undefined;
    if (parts === undefined) return 1;
    const known = this.#weights.get(value as object);
    if (known !== undefined) return known;
    this.#spend(parts.length);
    const weight = parts.reduce<number>((sum, part) => sum + this.#weigh(part), 1);
    this.#weights.set(value as object, weight);
    return weight;
  }

  #evaluate(tree: Expression, scope: Scope): CelValue {
    switch (tree.kind) {
      case 'literal':
        return tree.value;
      case 'name': {
        const value = scope.get(tree.name);
        if (value === undefined) throw new CelFault(`no such attribute: ${tree.name}`);
        return value;
      }
      case 'select':
        return this.#select(tree, scope);
      case 'index':
        return index(this.value(tree.of, scope), this.value(tree.at, scope));
      case 'call': {
        const target = tree.target === undefined ? [] : [this.value(tree.target, scope)];
        return this.#call(tree.name, [...target, ...tree.args.map((each) => this.value(each, scope))]);
      }
      case 'list':
        return tree.items.map((each) => this.value(each, scope));
      case 'map':
        return new Map(
          tree.entries.map(([key, value]) => [keyOf(this.value(key, scope)), this.value(value, scope)]),
        );
      case 'message':
        return new CelMessage(
          tree.type,
          new Map(tree.fields.map(([name, value]) => [name, this.value(value, scope)])),
        );
      case 'comprehension':
        return this.#comprehension(tree, scope);
      case 'ternary':
        return this.value(this.#bool(tree.test, scope) ? tree.yes : tree.no, scope);
      case 'unary':
        return tree.op === '!' ? !this.#bool(tree.of, scope) : negate(this.value(tree.of, scope));
      case 'binary':
        return this.#binary(tree, scope);
    }
  }

  #spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > MAX_STEPS) throw new CelFault('the expression takes too long');
  }

  #call(name: string, args: readonly CelValue[]): CelValue {
    const [text = null, pattern] = args;
    this.#spend(
      workOf(name, args) + (name === 'distinct' && isList(text) ? text.length * this.#weigh(text) : 0),
    );
    if (name === 'matches' && args.length === 2 && typeof text === 'string' && typeof pattern === 'string')
      return matches(text, pattern, (steps) => this.#spend(steps));
    return callFunction(name, args);
  }

  #binary({ op, left, right }: Extract<Expression, { kind: 'binary' }>, scope: Scope): CelValue {
    if (op === '&&' || op === '||') return this.#logical(op === '||', left, right, scope);
    const a = this.value(left, scope);
    const b = this.value(right, scope);
    this.#spend(op === 'in' && isList(b) ? b.length * this.#weigh(a) : this.#weigh(a) + this.#weigh(b));
    if (op === '==') return isEqual(a, b);
    if (op === '!=') return !isEqual(a, b);
    if (op !== 'in') return applyOperator(op, a, b);
    if (isList(b)) return b.some((each) => isEqual(a, each));
    if (isMap(b)) return b.has(keyOf(a));
    throw new CelFault('no such overload: in');
  }

  // Either side decides, even when the other has no value.
  #logical(decisive: boolean, left: Expression, right: Expression, scope: Scope): boolean {
    return this.#decide(decisive, [left, right], (side) => this.#bool(side, scope));
  }

  #decide<T>(decisive: boolean, parts: readonly T[], judge: (part: T) => boolean): boolean {
    let fault: unknown;
    for (const part of parts) {
      try {
        if (judge(part) === decisive) return decisive;
      } catch (error) {
        if (!(error instanceof CelFault)) throw error;
        fault = error;
      }
    }
    if (fault !== undefined) throw fault as CelFault;
    return !decisive;
  }

  #bool(tree: Expression, scope: Scope): boolean {
    const value = this.value(tree, scope);
    if (typeof value !== 'boolean') throw new CelFault('no such overload: a bool is needed');
    return value;
  }

  #select({ of, field, test }: Extract<Expression, { kind: 'select' }>, scope: Scope): CelValue {
    const value = this.value(of, scope);
    const found = isMap(value)
      ? value.get(field)
      : value instanceof CelMessage
        ? value.fields.get(field)
        : undefined;
    if (test) return found !== undefined;
    if (found === undefined) throw new CelFault(`no such key: ${field}`);
    return found;
  }

  #comprehension(tree: Extract<Expression, { kind: 'comprehension' }>, scope: Scope): CelValue {
    const over = this.value(tree.of, scope);
    const items = isList(over) ? over : isMap(over) ? [...over.keys()] : undefined;
    const [first, second] = tree.args;
    if (items === undefined || first === undefined) throw new CelFault(`no such overload: ${tree.macro}`);
    const inner = (item: CelValue): Scope => {
      this.#spend(scope.size);
      return new Map([...scope, [tree.variable, item]]);
    };
    switch (tree.macro) {
      case 'all':
        return this.#decide(false, items, (item) => this.#bool(first, inner(item)));
      case 'exists':
        return this.#decide(true, items, (item) => this.#bool(first, inner(item)));
      case 'exists_one':
        return items.filter((item) => this.#bool(first, inner(item))).length === 1;
      case 'filter':
        return items.filter((item) => this.#bool(first, inner(item)));
      case 'map':
        return second === undefined
          ? items.map((item) => this.value(first, inner(item)))
          : items
              .filter((item) => this.#bool(first, inner(item)))
              .map((item) => this.value(second, inner(item)));
    }
  }
}

function index(of: CelValue, at: CelValue): CelValue {
  const found = isMap(of)
    ? of.get(keyOf(at))
    : isList(of) && (typeof at === 'bigint' || Number.isInteger(at))
      ? of[Number(at)]
      : undefined;
  if (found === undefined) throw new CelFault('no such key');
  return found;
}

function keyOf(value: CelValue): CelKey {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === 'string' || typeof value === 'bigint' || typeof value === 'boolean') return value;
  throw new CelFault('unsupported key type');
}
