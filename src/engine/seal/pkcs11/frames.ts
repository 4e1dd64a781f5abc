import { concat } from '../../../lib/bytes.ts';
import { MAX_MESSAGE, malformed } from './message.ts';

/** A message on a stream: its length in 4 bytes, big-endian, before it. */
export function frame(message: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, message.length);
  return concat(length, message);
}

/** Cuts a stream into messages; keeps at most one incomplete one. */
export class FrameReader {
  #chunks: Uint8Array[] = [];
  #length = 0;

  /** True while a message has begun and not ended. */
  get partial(): boolean {
    return this.#length > 0;
  }

  /** @throws ERR_HSM_AGENT_UNAVAILABLE as soon as a length beyond the limit is announced */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const messages: Uint8Array[] = [];
    for (;;) {
      const announced = this.#announced();
      if (announced === undefined || this.#length < announced + 4) return messages;
      const all = concat(...this.#chunks);
      for (const old of this.#chunks) old.fill(0);
      messages.push(all.slice(4, 4 + announced));
      const rest = all.slice(4 + announced);
      all.fill(0);
      this.#chunks = rest.length > 0 ? [rest] : [];
      this.#length = rest.length;
    }
  }

  #announced(): number | undefined {
    if (this.#length < 4) return undefined;
    const [first] = this.#chunks;
    const head = first !== undefined && first.length >= 4 ? first : concat(...this.#chunks);
    const announced = new DataView(head.buffer, head.byteOffset).getUint32(0);
    if (announced > MAX_MESSAGE) throw malformed();
    return announced;
  }
}
