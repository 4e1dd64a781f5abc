import { concat, text, utf8 } from '../../../lib/bytes.ts';

/** Data types of the SSH protocol (RFC 4251 §5). */
export function string(value: Uint8Array | string): Uint8Array {
  const bytes = typeof value === 'string' ? utf8(value) : value;
  return concat(uint32(bytes.length), bytes);
}

export function uint32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value);
  return out;
}

export function uint64(value: bigint): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, value);
  return out;
}

/** A positive integer, given as big-endian bytes with or without leading zeros. */
export function mpint(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length && bytes[start] === 0) start += 1;
  const trimmed = bytes.subarray(start);
  const negative = ((trimmed[0] ?? 0) & 0x80) !== 0;
  return string(negative ? concat(new Uint8Array(1), trimmed) : trimmed);
}

/** Data that ends too early, or says of itself what is not so. */
export class WireInvalid extends SyntaxError {}

/** Reads one value after the other. @throws WireInvalid */
export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get rest(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }

  take(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length) throw new WireInvalid('the key data end too early');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  uint32(): number {
    const bytes = this.take(4);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
  }

  bytes(): Uint8Array {
    return this.take(this.uint32());
  }

  text(): string {
    return text(this.bytes());
  }
}
