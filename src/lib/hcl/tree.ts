import { SealedVaultError } from '../errors.ts';

/** What a file says, in its order. */
export interface HclBody {
  readonly items: readonly HclItem[];
}

export interface HclItem {
  /** The name and, for a block, its labels. */
  readonly keys: readonly string[];
  readonly value: HclValue;
  /** Counted from 1. */
  readonly line: number;
}

export type HclValue =
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'number'; readonly value: number; readonly text: string }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'null' }
  | { readonly kind: 'list'; readonly items: readonly HclValue[] }
  | { readonly kind: 'object'; readonly body: HclBody };

/** Lists and objects inside each other, at most. */
export const MAX_DEPTH = 64;

/** The text is not HCL. The message has the position, never the text. */
export class HclSyntaxError extends SealedVaultError {
  override readonly code = 'ERR_HCL_SYNTAX';
  readonly line: number;
  readonly column: number;

  constructor(source: string, offset: number, problem: string) {
    const before = source.slice(0, offset);
    const line = before.split('\n').length;
    const column = offset - before.lastIndexOf('\n');
    super(`At ${line}:${column}: ${problem}`);
    this.line = line;
    this.column = column;
  }
}

/** Counts lines forward only, so that asking for each token's line stays linear. */
export class LineCounter {
  readonly #source: string;
  #offset = 0;
  #line = 1;

  constructor(source: string) {
    this.#source = source;
  }

  /** @param offset not before the last one asked for */
  at(offset: number): number {
    for (; this.#offset < offset; this.#offset += 1) {
      if (this.#source.charCodeAt(this.#offset) === 10) this.#line += 1;
    }
    return this.#line;
  }
}
