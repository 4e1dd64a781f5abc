import { errorCode } from '../../../lib/errors.ts';
import type { Secret } from '../../../lib/secret.ts';
import { equalBytes, utf8 } from '../../../lib/bytes.ts';
import type { QuorumRefusal, ShareSubmission } from '../../sys/quorum-port.ts';
import { parseShare, ShareSet } from './share-set.ts';

/** The words in which an operation refuses. */
export interface AttemptWords {
  /** Such as `root generation`. */
  readonly operation: string;
  readonly duplicate: string;
}

/**
 * Shares of one operation, bound to its nonce. A wrong nonce learns nothing of the right one: whoever may ask for
 * the status has it, and nobody else should.
 */
export class ShareAttempt {
  readonly shares: ShareSet = new ShareSet();
  readonly #words: AttemptWords;
  nonce: string;

  constructor(nonce: string, words: AttemptWords) {
    this.nonce = nonce;
    this.#words = words;
  }

  /** @returns the combined key once there are enough shares, undefined before that */
  async submit(
    { key, nonce }: ShareSubmission,
    required: number,
  ): Promise<Secret | QuorumRefusal | undefined> {
    if (!equalBytes(utf8(nonce.padEnd(64)), utf8(this.nonce.padEnd(64))))
      return { refused: `incorrect nonce supplied for this ${this.#words.operation} operation` };
    const share = parseShare(key);
    if ('refused' in share) return share;
    if (!this.shares.add(share)) return { refused: this.#words.duplicate };
    if (this.shares.size < required) return undefined;
    try {
      return await this.shares.combine();
    } catch (error) {
      if (errorCode(error) === 'ERR_SHARES')
        return {
          refused: `${this.#words.operation} aborted: failed to compute the key from the given shares`,
        };
      throw error;
    }
  }
}
