import { CelFault } from './fault.ts';
import { type Token, tokens } from './tokens.ts';
import type { Expression, Macro } from './tree.ts';

const MACROS: readonly string[] = ['all', 'exists', 'exists_one', 'filter', 'map'];
/** Binary operators, the loosest first. */
const LEVELS: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['==', '!=', '<', '<=', '>', '>=', 'in'],
  ['+', '-'],
  ['*', '/', '%'],
];
const MAX_DEPTH = 100;

/** Parses an expression. @throws CelFault */
export function parseCel(text: string): Expression {
  return new Parser(tokens(text)).whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(all: readonly Token[]) {
    this.#tokens = all;
  }

  whole(): Expression {
    const tree = this.#expression();
    if (this.#tokens[this.#at] !== undefined) throw this.#unexpected();
    return tree;
  }

  #expression(): Expression {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new CelFault('the expression is nested too deeply');
    const test = this.#binary(0);
    let tree = test;
    if (this.#take('?')) {
      const yes = this.#binary(0);
      this.#expect(':');
      tree = { kind: 'ternary', test, yes, no: this.#expression() };
    }
    this.#depth -= 1;
    return tree;
  }

  #binary(level: number): Expression {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const op = operators.find((each) => this.#take(each));
      if (op === undefined) return left;
      left = { kind: 'binary', op, left, right: this.#binary(level + 1) };
    }
  }

  #unary(): Expression {
    const operators: ('!' | '-')[] = [];
    for (;;) {
      const op = (['!', '-'] as const).find((each) => this.#take(each));
      if (op === undefined) break;
      operators.push(op);
      if (operators.length > MAX_DEPTH) throw new CelFault('the expression is nested too deeply');
    }
    return operators.reduceRight<Expression>((of, op) => ({ kind: 'unary', op, of }), this.#member());
  }

  #member(): Expression {
    let tree = this.#primary();
    for (;;) {
      if (this.#take('.')) {
        const field = this.#identifier();
        tree = this.#take('(') ? this.#call(field, tree) : { kind: 'select', of: tree, field, test: false };
      } else if (this.#take('[')) {
        const at = this.#expression();
        this.#expect(']');
        tree = { kind: 'index', of: tree, at };
      } else if (this.#peek('{') && pathOf(tree) !== undefined) {
        tree = this.#message(pathOf(tree) ?? '');
      } else return tree;
    }
  }

  #primary(): Expression {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw new CelFault('the expression ends too early');
    this.#at += 1;
    if (token.kind === 'literal') return { kind: 'literal', value: token.value };
    if (token.kind === 'name') {
      if (token.text === 'true' || token.text === 'false')
        return { kind: 'literal', value: token.text === 'true' };
      if (token.text === 'null') return { kind: 'literal', value: null };
      return this.#take('(') ? this.#call(token.text, undefined) : { kind: 'name', name: token.text };
    }
    if (token.text === '(') {
      const tree = this.#expression();
      this.#expect(')');
      return tree;
    }
    if (token.text === '[') return { kind: 'list', items: this.#items(']') };
    if (token.text === '{') {
      const entries: [Expression, Expression][] = [];
      while (!this.#take('}')) {
        const key = this.#expression();
        this.#expect(':');
        entries.push([key, this.#expression()]);
        if (!this.#take(',') && !this.#peek('}')) throw this.#unexpected();
      }
      return { kind: 'map', entries };
    }
    this.#at -= 1;
    throw this.#unexpected();
  }

  #call(name: string, target: Expression | undefined): Expression {
    const args = this.#items(')');
    if (name === 'has' && target === undefined) {
      const [only] = args;
      if (args.length !== 1 || only?.kind !== 'select') throw new CelFault('invalid argument to has() macro');
      return { ...only, test: true };
    }
    if (target === undefined || !MACROS.includes(name)) return { kind: 'call', name, target, args };
    const [variable, ...rest] = args;
    const count = name === 'map' ? [1, 2] : [1];
    if (variable?.kind !== 'name' || !count.includes(rest.length))
      throw new CelFault(`invalid arguments to ${name}() macro`);
    return { kind: 'comprehension', macro: name as Macro, of: target, variable: variable.name, args: rest };
  }

  #message(type: string): Expression {
    this.#expect('{');
    const fields: [string, Expression][] = [];
    while (!this.#take('}')) {
      const name = this.#identifier();
      this.#expect(':');
      fields.push([name, this.#expression()]);
      if (!this.#take(',') && !this.#peek('}')) throw this.#unexpected();
    }
    return { kind: 'message', type, fields };
  }

  #items(end: string): Expression[] {
    const items: Expression[] = [];
    while (!this.#take(end)) {
      items.push(this.#expression());
      if (!this.#take(',') && !this.#peek(end)) throw this.#unexpected();
    }
    return items;
  }

  #identifier(): string {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'name') throw this.#unexpected();
    this.#at += 1;
    return token.text;
  }

  #peek(text: string): boolean {
    const token = this.#tokens[this.#at];
    return token !== undefined && token.kind !== 'literal' && token.text === text;
  }

  #take(text: string): boolean {
    if (!this.#peek(text)) return false;
    this.#at += 1;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw this.#unexpected();
  }

  #unexpected(): CelFault {
    const token = this.#tokens[this.#at];
    return new CelFault(
      token === undefined ? 'the expression ends too early' : `syntax error at character ${token.offset + 1}`,
    );
  }
}

// `a.b.c`, the name of a type when a brace follows.
function pathOf(tree: Expression): string | undefined {
  if (tree.kind === 'name') return tree.name;
  if (tree.kind !== 'select' || tree.test) return undefined;
  const before = pathOf(tree.of);
  return before === undefined ? undefined : `${before}.${tree.field}`;
}
