import { createHmac } from 'node:crypto';
import { equalBytes } from '../../../lib/bytes.ts';
import type { Random } from '../../../lib/random.ts';
import type { Secret } from '../../../lib/secret.ts';
import { HsmError } from './errors.ts';

/**
 * Remembers a PIN that was refused, by a keyed digest, for all the processes that present it: one at a time, so that
 * none presents what another is being refused for.
 */
export class PinRefusals {
  readonly #digestKey: Uint8Array;
  #tail: Promise<unknown> = Promise.resolve();
  #refusal: { readonly digest: Uint8Array; readonly error: HsmError } | undefined;

  constructor(random: Random) {
    this.#digestKey = random.bytes(32);
  }

  /**
   * Presents a PIN.
   * @param present rejects with what the HSM said
   * @throws at once what an earlier try with the same PIN was refused with
   */
  present<T>(resolvePin: () => Secret, present: (pin: Secret) => Promise<T>): Promise<T> {
    const turn = this.#tail.then(async () => {
      using pin = resolvePin();
      const digest = pin.borrow((bytes) => createHmac('sha256', this.#digestKey).update(bytes).digest());
      if (this.#refusal !== undefined) {
        if (equalBytes(this.#refusal.digest, digest)) throw this.#refusal.error;
        this.#refusal = undefined;
      }
      try {
        return await present(pin);
      } catch (error) {
        if (error instanceof HsmError && error.terminal) this.#refusal = { digest, error };
        throw error;
      }
    });
    this.#tail = turn.catch(() => {});
    return turn;
  }
}
