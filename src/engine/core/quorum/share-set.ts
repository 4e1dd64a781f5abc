import { combineShares } from '../../../ceremony/shares.ts';
import { equalBytes, fromBase64, fromHex } from '../../../lib/bytes.ts';
import { Secret } from '../../../lib/secret.ts';

/** Shares given so far in one attempt. They live in memory only and are wiped when the attempt ends. */
export class ShareSet {
  #shares: Secret[] = [];

  get size(): number {
    return this.#shares.length;
  }

  /** Takes ownership of a share. @returns false for one that is there already, which counts once */
  add(share: Secret): boolean {
    // Every share is compared, so that the time does not tell which one it was.
    const known = this.#shares.filter((each) => each.borrow((a) => share.borrow((b) => equalBytes(a, b))));
    if (known.length > 0) {
      share[Symbol.dispose]();
      return false;
    }
    this.#shares.push(share);
    return true;
  }

  /** Combines what was given and forgets it. @throws ERR_SHARES for shares that do not fit together */
  async combine(): Promise<Secret> {
    try {
      return await combineShares(this.#shares);
    } finally {
      this.clear();
    }
  }

  clear(): void {
    for (const share of this.#shares) share[Symbol.dispose]();
    this.#shares = [];
  }
}

const MIN_SHARE = 16;
const MAX_SHARE = 33;

/** Reads a share as clients send it: hex of 16 to 33 bytes, otherwise base64. @returns why it is none */
export function parseShare(text: string): Secret | { readonly refused: string } {
  const hex = fromHex(text);
  if (hex !== undefined && hex.length >= MIN_SHARE && hex.length <= MAX_SHARE) return Secret.own(hex);
  const bytes = fromBase64(text);
  if (bytes === undefined || bytes.length === 0)
    return { refused: "'key' must be a valid hex or base64 string" };
  const share = Secret.own(bytes);
  if (share.length < MIN_SHARE) {
    share[Symbol.dispose]();
    return { refused: `key is shorter than minimum ${MIN_SHARE} bytes` };
  }
  if (share.length > MAX_SHARE) {
    share[Symbol.dispose]();
    return { refused: `key is longer than maximum ${MAX_SHARE} bytes` };
  }
  return share;
}
