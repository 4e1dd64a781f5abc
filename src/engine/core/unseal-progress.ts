import { combineShares } from '../../ceremony/shares.ts';
import { equalBytes, fromBase64, fromHex } from '../../lib/bytes.ts';
import type { Random } from '../../lib/random.ts';
import { Secret } from '../../lib/secret.ts';

/** Shares given so far in one attempt. They live in memory only and are wiped when the attempt ends. */
export class UnsealProgress {
  readonly #random: Random;
  #shares: Secret[] = [];
  #nonce = '';

  constructor(random: Random) {
    this.#random = random;
  }

  get progress(): number {
    return this.#shares.length;
  }

  get nonce(): string {
    return this.#nonce;
  }

  /** Takes ownership of a share; the same one twice counts once. */
  add(share: Secret): void {
    const known = this.#shares.some((each) => each.borrow((a) => share.borrow((b) => equalBytes(a, b))));
    if (known) {
      share[Symbol.dispose]();
      return;
    }
    if (this.#nonce === '') this.#nonce = this.#random.uuid();
    this.#shares.push(share);
  }

  /** Combines what was given and forgets it. @throws ERR_SHARES for shares that do not fit together */
  async combine(): Promise<Secret> {
    try {
      return await combineShares(this.#shares);
    } finally {
      this.reset();
    }
  }

  reset(): void {
    for (const share of this.#shares) share[Symbol.dispose]();
    this.#shares = [];
    this.#nonce = '';
  }
}

/** Reads a share as clients send it: hex of 16 to 33 bytes, otherwise base64. @returns undefined for neither */
export function parseShare(text: string): Secret | undefined {
  const hex = fromHex(text);
  if (hex !== undefined && hex.length >= 16 && hex.length <= 33) return Secret.own(hex);
  const bytes = fromBase64(text);
  return bytes === undefined || bytes.length === 0 ? undefined : Secret.own(bytes);
}
