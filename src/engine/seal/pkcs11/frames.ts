import { concat } from '../../../lib/bytes.ts';
import { MAX_MESSAGE, malformed } from './message.ts';

/** A message on a stream: its length in 4 bytes, big-endian, before it. */
export function frame(message: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, message.length);
  return concat(length, message);
}

/** Cuts a stream into messages; keeps at most one incomplete one, in one piece of memory. */
export class FrameReader {
  readonly #head = new Uint8Array(4);
  #headLength = 0;
  #body: Uint8Array | undefined;
  #bodyLength = 0;

  /** True while a message has begun and not ended. */
  get partial(): boolean {
    return this.#headLength > 0;
  }

  /**
   * @param chunk not kept
   * @returns the messages that ended, each of memory of its own
   * @throws ERR_HSM_AGENT_UNAVAILABLE as soon as a length beyond the limit is announced
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const messages: Uint8Array[] = [];
    let offset = 0;
    while (offset < chunk.length || this.#body?.length === 0) {
      if (this.#body === undefined) {
        const part = chunk.subarray(offset, offset + this.#head.length - this.#headLength);
        this.#head.set(part, this.#headLength);
        this.#headLength += part.length;
        offset += part.length;
        if (this.#headLength === this.#head.length) this.#body = new Uint8Array(this.#announced());
        continue;
      }
      const part = chunk.subarray(offset, offset + this.#body.length - this.#bodyLength);
      this.#body.set(part, this.#bodyLength);
      this.#bodyLength += part.length;
      offset += part.length;
      if (this.#bodyLength < this.#body.length) break;
      messages.push(this.#body);
      this.#body = undefined;
      this.#bodyLength = 0;
      this.#headLength = 0;
    }
    return messages;
  }

  #announced(): number {
    const announced = new DataView(this.#head.buffer).getUint32(0);
    if (announced > MAX_MESSAGE) throw malformed();
    return announced;
  }
}
