import { inspect } from 'node:util';

/**
 * Owned bytes that must not be seen: never printable, wiped on dispose.
 * Whoever receives a Secret disposes it (`using`). Access is by a synchronous callback, so that
 * the bytes cannot outlive an await by accident.
 */
export class Secret {
  readonly #bytes: Uint8Array;
  #disposed = false;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Takes ownership: the caller must not keep or use bytes afterwards. */
  static own(bytes: Uint8Array): Secret {
    return new Secret(bytes);
  }

  /** Copies text as UTF-8. The string itself cannot be wiped. */
  static fromText(text: string): Secret {
    return new Secret(new TextEncoder().encode(text));
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** Lends the bytes for the length of a synchronous call. @throws TypeError after dispose */
  borrow<T>(use: (bytes: Uint8Array) => T): T {
    if (this.#disposed) throw new TypeError('a disposed secret was used');
    return use(this.#bytes);
  }

  /** A second owner of the same content. */
  clone(): Secret {
    return this.borrow((bytes) => new Secret(Uint8Array.from(bytes)));
  }

  [Symbol.dispose](): void {
    this.#bytes.fill(0);
    this.#disposed = true;
  }

  toJSON(): string {
    return '[secret]';
  }

  toString(): string {
    return '[secret]';
  }

  static {
    Object.defineProperty(this.prototype, inspect.custom, { value: () => '[secret]' });
  }
}
