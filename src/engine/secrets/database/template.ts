import { createHash } from 'node:crypto';
import { toBase64, utf8 } from '../../../lib/bytes.ts';
import type { Random } from '../../../lib/random.ts';

/**
 * The part of Go's text/template that user names are made with: `{{ pipelines }}` of fields, literals, parentheses and
 * the functions that Vault documents for username templating.
 */
export interface TemplateContext {
  readonly fields: Readonly<Record<string, string>>;
  readonly random: Random;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

type Value = string | number;
type Expression =
  | { readonly kind: 'literal'; readonly value: Value }
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'pipe'; readonly stages: readonly Expression[] };

/** A template that does not parse, or that cannot be filled in. The message says why. */
export class TemplateInvalid {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

export type Template = readonly (string | Expression)[];

/** @returns the parsed template, or what is wrong with it */
export function parseTemplate(source: string): Template | TemplateInvalid {
  const parts: (string | Expression)[] = [];
  let rest = source;
  try {
    for (;;) {
      const open = rest.indexOf('{{');
      if (open === -1) return [...parts, rest];
      const close = rest.indexOf('}}', open);
      if (close === -1) throw new SyntaxError('unclosed action');
      const trimsBefore = rest.startsWith('{{- ', open);
      const trimsAfter = rest.startsWith(' -', close - 2);
      const text = rest.slice(0, open);
      parts.push(trimsBefore ? text.trimEnd() : text);
      const action = rest.slice(open + (trimsBefore ? 3 : 2), close - (trimsAfter ? 1 : 0));
      parts.push(new Parser(tokens(action)).all());
      rest = rest.slice(close + 2);
      if (trimsAfter) rest = rest.trimStart();
    }
  } catch (error) {
    if (error instanceof SyntaxError) return new TemplateInvalid(error.message);
    throw error;
  }
}

/** Fills a template in. */
export function fillTemplate(template: Template, context: TemplateContext): string | TemplateInvalid {
  try {
    return template
      .map((part) => (typeof part === 'string' ? part : String(evaluate(part, context, undefined))))
      .join('');
  } catch (error) {
    if (error instanceof SyntaxError) return new TemplateInvalid(error.message);
    throw error;
  }
}

function tokens(action: string): string[] {
  const found = action.match(/"(?:[^"\\]|\\.)*"|`[^`]*`|[()|]|\.[A-Za-z_]\w*|[A-Za-z_]\w*|-?\d+|\S/g) ?? [];
  return [...found];
}

class Parser {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(list: readonly string[]) {
    this.#tokens = list;
  }

  all(): Expression {
    const found = this.#pipe();
    const token = this.#tokens[this.#at];
    if (token !== undefined) throw new SyntaxError(`unexpected ${JSON.stringify(token)} in template`);
    return found;
  }

  #pipe(): Expression {
    const stages = [this.#command()];
    while (this.#tokens[this.#at] === '|') {
      this.#at += 1;
      stages.push(this.#command());
    }
    const [only] = stages;
    return stages.length === 1 && only !== undefined ? only : { kind: 'pipe', stages };
  }

  #command(): Expression {
    const first = this.#operand();
    if (first.kind !== 'call') return first;
    const args: Expression[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token === undefined || token === '|' || token === ')') break;
      args.push(this.#operand());
    }
    return { ...first, args };
  }

  #operand(): Expression {
    const token = this.#tokens[this.#at];
    this.#at += 1;
    if (token === undefined) throw new SyntaxError('missing value for command');
    if (token === '(') {
      const inner = this.#pipe();
      if (this.#tokens[this.#at] !== ')') throw new SyntaxError('unclosed left paren');
      this.#at += 1;
      return inner;
    }
    if (token.startsWith('"')) return { kind: 'literal', value: unquote(token) };
    if (token.startsWith('`')) return { kind: 'literal', value: token.slice(1, -1) };
    if (/^-?\d+$/.test(token)) return { kind: 'literal', value: Number(token) };
    if (/^\.\w+$/.test(token)) return { kind: 'field', name: token.slice(1) };
    if (/^[A-Za-z_]\w*$/.test(token)) {
      if (!Object.hasOwn(functions, token))
        throw new SyntaxError(`function ${JSON.stringify(token)} not defined`);
      return { kind: 'call', name: token, args: [] };
    }
    throw new SyntaxError(`unexpected ${JSON.stringify(token)} in template`);
  }
}

function unquote(token: string): string {
  try {
    return JSON.parse(token) as string;
  } catch {
    throw new SyntaxError('invalid string in template');
  }
}

// What comes through a pipe is the last argument, as in Go.
function evaluate(expression: Expression, context: TemplateContext, piped: Value | undefined): Value {
  switch (expression.kind) {
    case 'literal':
      return expression.value;
    case 'field': {
      const value = Object.hasOwn(context.fields, expression.name)
        ? context.fields[expression.name]
        : undefined;
      if (value === undefined) throw new SyntaxError(`can't evaluate field ${expression.name}`);
      return value;
    }
    case 'call': {
      const args = expression.args.map((arg) => evaluate(arg, context, undefined));
      if (piped !== undefined) args.push(piped);
      return functions[expression.name]?.(args, context) ?? '';
    }
    case 'pipe': {
      let value: Value | undefined;
      for (const stage of expression.stages) value = evaluate(stage, context, value);
      return value ?? '';
    }
  }
}

type TemplateFunction = (args: readonly Value[], context: TemplateContext) => Value;

const functions: Readonly<Record<string, TemplateFunction>> = {
  random: ([length], { random }) => random.base62(positive(length)),
  truncate: ([length, text]) => string(text).slice(0, positive(length)),
  truncate_sha256: ([length, text]) => {
    const whole = string(text);
    const max = positive(length);
    if (whole.length <= max) return whole;
    if (max <= 8) throw new SyntaxError('max length must be greater than 8 for truncate_sha256');
    return whole.slice(0, max - 8) + sha256(whole).slice(0, 8);
  },
  uppercase: ([text]) => string(text).toUpperCase(),
  lowercase: ([text]) => string(text).toLowerCase(),
  replace: ([from, to, text]) => string(text).replaceAll(string(from), () => string(to)),
  sha256: ([text]) => sha256(string(text)),
  base64: ([text]) => toBase64(utf8(string(text))),
  unix_time: (_args, { now }) => String(Math.floor(now / 1000)),
  unix_time_millis: (_args, { now }) => String(now),
  timestamp: ([layout], { now }) => goTime(string(layout), new Date(now)),
  uuid: (_args, { random }) => random.uuid(),
  printf: ([format, ...args]) => printf(string(format), args),
  print: (args) => args.join(''),
  len: ([text]) => string(text).length,
};

function string(value: Value | undefined): string {
  if (value === undefined) throw new SyntaxError('wrong number of args in template');
  return String(value);
}

function positive(value: Value | undefined): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number <= 0 || number > 1000)
    throw new SyntaxError('a length in a template must be a number between 1 and 1000');
  return number;
}

function printf(format: string, args: readonly Value[]): string {
  let next = 0;
  return format.replaceAll(/%(%|[sdvq])/g, (_verb, kind: string) => {
    if (kind === '%') return '%';
    const value = string(args[next]);
    next += 1;
    return kind === 'q' ? JSON.stringify(value) : value;
  });
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

// The layout shows how 2006-01-02 15:04:05 would look.
function goTime(layout: string, time: Date): string {
  const [year, month, day, hour, minute, second] = time.toISOString().split(/[-T:.Z]/);
  const parts: Readonly<Record<string, string | undefined>> = {
    '2006': year,
    '01': month,
    '02': day,
    '15': hour,
    '04': minute,
    '05': second,
    MST: 'UTC',
  };
  return layout.replaceAll(/2006|01|02|15|04|05|MST/g, (part) => parts[part] ?? part);
}
