import { evaluate } from './evaluate.ts';
import { CelFault } from './fault.ts';
import { parseCel } from './parse.ts';
import type { Expression } from './tree.ts';
import type { CelValue } from './values.ts';

/** Messages that programs may make: their fields, by their types. */
export type MessageTypes = Readonly<Record<string, readonly string[]>>;

/** Why a program cannot be used, or has no result. */
export class CelRefusal {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** A compiled expression of the Common Expression Language. */
export class CelProgram {
  readonly #tree: Expression;

  private constructor(tree: Expression) {
    this.#tree = tree;
  }

  /** @param names variables that it may refer to */
  static compile(text: string, names: readonly string[], types: MessageTypes = {}): CelProgram | CelRefusal {
    try {
      const tree = parseCel(text);
      const wrong = check(tree, new Set(names), types);
      return wrong === undefined ? new CelProgram(tree) : new CelRefusal(wrong);
    } catch (error) {
      return refusal(error);
    }
  }

  /** Every variable has its value, those that are not given have none. */
  run(variables: ReadonlyMap<string, CelValue>): CelValue | CelRefusal {
    try {
      return evaluate(this.#tree, variables);
    } catch (error) {
      return refusal(error);
    }
  }
}

function refusal(error: unknown): CelRefusal {
  if (error instanceof CelFault) return new CelRefusal(error.message);
  throw error;
}

function check(tree: Expression, names: ReadonlySet<string>, types: MessageTypes): string | undefined {
  const all = (...parts: readonly (Expression | undefined)[]): string | undefined => {
    for (const part of parts) {
      const wrong = part === undefined ? undefined : check(part, names, types);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };
  switch (tree.kind) {
    case 'literal':
      return undefined;
    case 'name':
      return names.has(tree.name) ? undefined : `undeclared reference to '${tree.name}'`;
    case 'select':
      return all(tree.of);
    case 'index':
      return all(tree.of, tree.at);
    case 'call':
      return all(tree.target, ...tree.args);
    case 'list':
      return all(...tree.items);
    case 'map':
      return all(...tree.entries.flat());
    case 'message': {
      const known = Object.hasOwn(types, tree.type) ? types[tree.type] : undefined;
      if (known === undefined) return `undeclared reference to '${tree.type}'`;
      const odd = tree.fields.find(([name]) => !known.includes(name));
      return odd === undefined
        ? all(...tree.fields.map(([, value]) => value))
        : `undefined field '${odd[0]}' of '${tree.type}'`;
    }
    case 'comprehension': {
      const inner = new Set([...names, tree.variable]);
      for (const part of tree.args) {
        const wrong = check(part, inner, types);
        if (wrong !== undefined) return wrong;
      }
      return all(tree.of);
    }
    case 'ternary':
      return all(tree.test, tree.yes, tree.no);
    case 'binary':
      return all(tree.left, tree.right);
    case 'unary':
      return all(tree.of);
  }
}
