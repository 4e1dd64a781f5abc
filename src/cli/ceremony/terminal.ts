import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { wrongUsage } from './failure.ts';

/**
 * What a person sees and answers. Results go to standard output, so that they can be piped; what is said beside them goes
 * to standard error. Lines are plain text without colours or pictures: they read well aloud.
 *
 * I1  What comes from the cluster may hold anything: a line that is printed stays one line, and holds no control character
 *     that could move the cursor, hide text or turn its direction.
 */
export class Terminal {
  readonly #input: Readable & { readonly isTTY?: boolean };
  readonly #output: Writable;
  readonly #errors: Writable;

  constructor(streams: {
    readonly input: Readable & { readonly isTTY?: boolean };
    readonly output: Writable;
    readonly errors: Writable;
  }) {
    this.#input = streams.input;
    this.#output = streams.output;
    this.#errors = streams.errors;
  }

  /** A result. */
  print(...lines: readonly string[]): void {
    for (const line of lines) this.#output.write(`${visible(line)}\n`);
  }

  /** A result of colours, made by this program. */
  draw(lines: readonly string[]): void {
    this.#output.write(`${lines.join('\n')}\n`);
  }

  /** Something beside the result. */
  note(...lines: readonly string[]): void {
    for (const line of lines) this.#errors.write(`${visible(line)}\n`);
  }

  /** Everything that standard input has. */
  async readAll(): Promise<string> {
    let text = '';
    this.#input.setEncoding('utf8');
    for await (const chunk of this.#input) text += String(chunk);
    return text;
  }

  /**
   * Asks for a plain yes.
   * @throws wrong usage when there is nobody to ask
   */
  async confirm(question: string): Promise<boolean> {
    if (this.#input.isTTY !== true)
      throw wrongUsage('There is no terminal to ask on', 'compare what is shown, then add --yes');
    const lines = createInterface({ input: this.#input, output: this.#errors });
    try {
      const answer = await lines.question(`${question} Type yes to go on: `);
      return answer.trim().toLowerCase() === 'yes';
    } finally {
      lines.close();
    }
  }
}

function visible(line: string): string {
  return line.replace(/[\p{C}\u2028\u2029]+/gu, ' ');
}
