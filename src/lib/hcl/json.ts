import { type HclBody, type HclItem, HclSyntaxError, type HclValue, LineCounter, MAX_DEPTH } from './tree.ts';

const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /[a-z]+/y;

/** The JSON form (hashicorp/hcl v1, json/parser), with its flattening of nested objects into labels. @throws ERR_HCL_SYNTAX */
export function parseJsonForm(source: string): HclBody {
  return new JsonParser(source).file();
}

class JsonParser {
  readonly #source: string;
  readonly #lines: LineCounter;
  #offset = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
    this.#lines = new LineCounter(source);
  }

  file(): HclBody {
    this.#skip();
    const value = this.#value();
    this.#skip();
    if (this.#offset < this.#source.length || value.kind !== 'object')
      this.#fail('the end of the text expected');
    return value.body;
  }

  #value(): HclValue {
    const char = this.#source[this.#offset];
    if (char === '"') return { kind: 'string', text: this.#string() };
    if (char === '{') return this.#nested(() => ({ kind: 'object', body: { items: this.#members() } }));
    if (char === '[') return this.#nested(() => ({ kind: 'list', items: this.#elements() }));
    const number = this.#match(NUMBER);
    if (number) return { kind: 'number', value: Number(number), text: number };
    const at = this.#offset;
    const word = this.#match(WORD);
    if (word === 'true' || word === 'false') return { kind: 'bool', value: word === 'true' };
    if (word === 'null') return { kind: 'null' };
    throw new HclSyntaxError(this.#source, at, 'a value expected');
  }

  #members(): HclItem[] {
    const items: HclItem[] = [];
    this.#each('}', () => {
      const line = this.#lines.at(this.#offset);
      if (this.#source[this.#offset] !== '"') this.#fail('a quoted key expected');
      const key = this.#string();
      this.#skip();
      if (this.#source[this.#offset] !== ':') this.#fail('a colon expected');
      this.#offset += 1;
      this.#skip();
      flatten({ keys: [key], value: this.#value(), line }, items);
    });
    return items;
  }

  #elements(): HclValue[] {
    const items: HclValue[] = [];
    this.#each(']', () => items.push(this.#value()));
    return items;
  }

  #each(closing: string, read: () => void): void {
    this.#skip();
    if (this.#source[this.#offset] === closing) return;
    for (;;) {
      read();
      this.#skip();
      const char = this.#source[this.#offset];
      if (char === closing) return;
      if (char !== ',') this.#fail('a comma or the end of the list or object expected');
      this.#offset += 1;
      this.#skip();
    }
  }

  #nested(read: () => HclValue): HclValue {
    if (this.#depth >= MAX_DEPTH) this.#fail('too many levels');
    this.#depth += 1;
    this.#offset += 1;
    const value = read();
    this.#offset += 1;
    this.#depth -= 1;
    return value;
  }

  #string(): string {
    const at = this.#offset;
    let end = at + 1;
    while (this.#source[end] !== '"') {
      const char = this.#source[end];
      if (char === undefined || char === '\n')
        throw new HclSyntaxError(this.#source, at, 'literal not terminated');
      end += char === '\\' ? 2 : 1;
    }
    this.#offset = end + 1;
    try {
      return String(JSON.parse(this.#source.slice(at, end + 1)));
    } catch {
      // Without the cause: its message repeats the text (I3).
      throw new HclSyntaxError(this.#source, at, 'illegal character or escape in a string');
    }
  }

  #skip(): void {
    this.#match(SPACE);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#offset;
    const found = pattern.exec(this.#source)?.[0];
    if (found !== undefined) this.#offset += found.length;
    return found;
  }

  #fail(problem: string): never {
    throw new HclSyntaxError(this.#source, this.#offset, problem);
  }
}

// hashicorp/hcl v1, json/parser/flatten.go
function flatten(item: HclItem, out: HclItem[]): void {
  const { keys, value, line } = item;
  if (
    value.kind === 'list' &&
    value.items.length > 0 &&
    value.items.every((element) => element.kind === 'object')
  ) {
    for (const element of value.items) flatten({ keys, value: element, line }, out);
    return;
  }
  if (value.kind === 'object') {
    const members = value.body.items;
    if (members.length > 0 && members.every((member) => member.value.kind === 'object')) {
      for (const member of members)
        out.push({ keys: [...keys, ...member.keys], value: member.value, line: member.line });
      return;
    }
  }
  out.push(item);
}
