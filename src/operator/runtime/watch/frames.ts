import { StringDecoder } from 'node:string_decoder';

const MAX_FRAME = 16 * 1024 * 1024;

/** Cuts a watch's stream into its lines. A last line without its end is not handed out: it may be half of one. */
export class Frames {
  readonly #decoder = new StringDecoder('utf8');
  #rest: string[] = [];
  #length = 0;

  /** @returns the lines that are complete now. @throws Error when one grows beyond 16 MiB */
  push(chunk: Uint8Array): readonly string[] {
    const parts = this.#decoder.write(chunk).split('\n');
    const last = parts.pop() ?? '';
    const lines: string[] = [];
    for (const part of parts) {
      this.#rest.push(part);
      const line = this.#rest.join('');
      this.#rest = [];
      this.#length = 0;
      if (line.trim() !== '') lines.push(line);
    }
    if (last !== '') this.#rest.push(last);
    this.#length += last.length;
    if (this.#length > MAX_FRAME) throw Object.assign(new Error('a frame is too long'), { code: 'TooLarge' });
    return lines;
  }
}
