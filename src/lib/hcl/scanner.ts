import { readHeredoc } from './heredoc.ts';
import { readString } from './string.ts';
import { HclSyntaxError } from './tree.ts';

export type Token =
  | {
      readonly kind: 'identifier' | 'string' | 'number' | 'heredoc';
      readonly text: string;
      readonly at: number;
    }
  | { readonly kind: '=' | '{' | '}' | '[' | ']' | ',' | 'end'; readonly at: number };

const SPACE_OR_COMMENT = /[ \t\r\n]+|#[^\n]*|\/\/[^\n]*/y;
const IDENTIFIER = /[\p{L}_][\p{L}\p{Nd}_.-]*/uy;
const NUMBER = /-?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)/y;

/** Cuts native HCL into tokens (hashicorp/hcl v1, hcl/scanner). */
export class Scanner {
  readonly source: string;
  #offset = 0;

  constructor(source: string) {
    this.source = source;
  }

  /** @throws ERR_HCL_SYNTAX */
  next(): Token {
    this.#skip();
    const at = this.#offset;
    const char = this.source[at];
    if (char === undefined) return { kind: 'end', at };
    switch (char) {
      case '=':
      case '{':
      case '}':
      case '[':
      case ']':
      case ',':
        this.#offset += 1;
        return { kind: char, at };
      case '"': {
        const { text, end } = readString(this.source, at);
        this.#offset = end;
        return { kind: 'string', text, at };
      }
      case '<': {
        const { text, end } = readHeredoc(this.source, at);
        this.#offset = end;
        return { kind: 'heredoc', text, at };
      }
      default:
        return this.#word(at);
    }
  }

  #word(at: number): Token {
    const number = this.#match(NUMBER);
    if (number !== undefined) {
      if (/^-?0[0-7]*[89]\d*$/.test(number))
        throw new HclSyntaxError(this.source, at, 'illegal octal number');
      return { kind: 'number', text: number, at };
    }
    const identifier = this.#match(IDENTIFIER);
    if (identifier !== undefined) return { kind: 'identifier', text: identifier, at };
    throw new HclSyntaxError(this.source, at, 'illegal character');
  }

  #skip(): void {
    for (;;) {
      if (this.#match(SPACE_OR_COMMENT) !== undefined) continue;
      if (!this.source.startsWith('/*', this.#offset)) return;
      const end = this.source.indexOf('*/', this.#offset + 2);
      if (end === -1) throw new HclSyntaxError(this.source, this.#offset, 'comment not terminated');
      this.#offset = end + 2;
    }
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#offset;
    const found = pattern.exec(this.source)?.[0];
    if (found !== undefined) this.#offset += found.length;
    return found;
  }
}
