import type { CelValue } from './values.ts';

export type Macro = 'all' | 'exists' | 'exists_one' | 'filter' | 'map';

/** A parsed expression. */
export type Expression =
  | { readonly kind: 'literal'; readonly value: CelValue }
  | { readonly kind: 'name'; readonly name: string }
  /** test: whether the field is there, as `has()` asks. */
  | { readonly kind: 'select'; readonly of: Expression; readonly field: string; readonly test: boolean }
  | { readonly kind: 'index'; readonly of: Expression; readonly at: Expression }
  | {
      readonly kind: 'call';
      readonly name: string;
      readonly target: Expression | undefined;
      readonly args: readonly Expression[];
    }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [Expression, Expression])[] }
  | {
      readonly kind: 'message';
      readonly type: string;
      readonly fields: readonly (readonly [string, Expression])[];
    }
  | {
      readonly kind: 'comprehension';
      readonly macro: Macro;
      readonly of: Expression;
      readonly variable: string;
      readonly args: readonly Expression[];
    }
  | {
      readonly kind: 'ternary';
      readonly test: Expression;
      readonly yes: Expression;
      readonly no: Expression;
    }
  | { readonly kind: 'binary'; readonly op: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'unary'; readonly op: '!' | '-'; readonly of: Expression };
