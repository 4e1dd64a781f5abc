import { Scanner, type Token } from './scanner.ts';
import { type HclBody, type HclItem, HclSyntaxError, type HclValue, LineCounter, MAX_DEPTH } from './tree.ts';

/** The native form (hashicorp/hcl v1, hcl/parser). @throws ERR_HCL_SYNTAX */
export function parseNative(source: string): HclBody {
  return new NativeParser(source).file();
}

class NativeParser {
  readonly #source: string;
  readonly #scanner: Scanner;
  readonly #lines: LineCounter;
  #token: Token;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
    this.#scanner = new Scanner(source);
    this.#lines = new LineCounter(source);
    this.#token = this.#scanner.next();
  }

  file(): HclBody {
    return { items: this.#items('end') };
  }

  #items(closing: 'end' | '}'): HclItem[] {
    const items: HclItem[] = [];
    while (this.#token.kind !== closing) {
      items.push(this.#item());
      if (this.#token.kind === ',') this.#advance();
    }
    return items;
  }

  #item(): HclItem {
    const line = this.#lines.at(this.#token.at);
    const keys: string[] = [];
    for (;;) {
      const token = this.#token;
      if (token.kind === 'identifier' || token.kind === 'string') {
        keys.push(token.text);
        this.#advance();
      } else if (token.kind === '{' && keys.length > 0) {
        return { keys, value: this.#value(), line };
      } else if (token.kind === '=' && keys.length === 1) {
        this.#advance();
        return { keys, value: this.#value(), line };
      } else {
        this.#fail(keys.length === 0 ? 'a key expected' : 'an object or a value expected behind the key');
      }
    }
  }

  #value(): HclValue {
    const token = this.#token;
    switch (token.kind) {
      case 'string':
      case 'heredoc':
        this.#advance();
        return { kind: 'string', text: token.text };
      case 'number':
        this.#advance();
        return { kind: 'number', value: numberOf(token.text), text: token.text };
      case 'identifier':
        if (token.text !== 'true' && token.text !== 'false')
          this.#fail('a value expected: is a quote missing?');
        this.#advance();
        return { kind: 'bool', value: token.text === 'true' };
      case '{':
        return this.#nested(() => ({ kind: 'object', body: { items: this.#items('}') } }));
      case '[':
        return this.#nested(() => ({ kind: 'list', items: this.#list() }));
      case '=':
      case '}':
      case ']':
      case ',':
      case 'end':
        return this.#fail('a value expected');
    }
  }

  #list(): HclValue[] {
    const items: HclValue[] = [];
    while (!this.#at(']')) {
      items.push(this.#value());
      if (this.#at(',')) this.#advance();
      else if (!this.#at(']')) this.#fail('a comma or the end of the list expected');
    }
    return items;
  }

  #nested(read: () => HclValue): HclValue {
    if (this.#depth >= MAX_DEPTH) this.#fail('too many levels');
    this.#depth += 1;
    this.#advance();
    const value = read();
    this.#advance();
    this.#depth -= 1;
    return value;
  }

  #at(kind: Token['kind']): boolean {
    return this.#token.kind === kind;
  }

  #advance(): void {
    this.#token = this.#scanner.next();
  }

  #fail(problem: string): never {
    throw new HclSyntaxError(this.#source, this.#token.at, problem);
  }
}

function numberOf(text: string): number {
  const negative = text.startsWith('-');
  const digits = negative ? text.slice(1) : text;
  const value = /^0\d+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
  return negative ? -value : value;
}
