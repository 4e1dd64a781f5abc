import { type HeldKeyOrder, orderFields } from './held-key.ts';
import type { HeldKey, HeldKeyPort } from './key-library.ts';
import type { Message } from './message.ts';
import { HELD } from './protocol.ts';
import { RemoteAgent, type RemoteOptions } from './remote.ts';

/**
 * Managed keys behind an HSM agent, on a connection of their own: a connection's calls are answered in turn, and none of
 * the seal's waits for one of these. Which library it is, is the agent's to know.
 */
export class RemoteHeldKeys implements HeldKeyPort {
  readonly #agent: RemoteAgent;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: RemoteOptions) {
    this.#agent = new RemoteAgent(options);
  }

  // The agent works on one call at a time, and drops a connection on which many wait.
  call(key: HeldKey, order: HeldKeyOrder, input: Uint8Array): Promise<Message> {
    const run = this.#tail.then(() => this.#ask(key, order, input));
    this.#tail = run.catch(() => {});
    return run;
  }

  async close(): Promise<void> {
    await this.#agent.close();
    await this.#tail;
  }

  async #ask({ choice, pin }: HeldKey, order: HeldKeyOrder, input: Uint8Array): Promise<Message> {
    const presented = pin.borrow((bytes) => Uint8Array.from(bytes));
    try {
      const head = orderFields('', choice, order);
      return await this.#agent.ask({ op: HELD, ...head }, { pin: presented, input });
    } finally {
      presented.fill(0);
    }
  }
}
