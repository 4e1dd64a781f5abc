import { readHouseRules, readOrder } from '../held-key.ts';
import { encodeMessage } from '../message.ts';
import { HeldKeys } from './held-keys.ts';
import { serve } from './serve.ts';

/**
 * The process that works with managed keys: like main.ts, but for another purpose and apart from it, so that whoever may
 * sign with a managed key is not one step from the key that seals the vault.
 */
const keys = new HeldKeys();

serve((message, id) => {
  const { pin, input, ...order } = readOrder(message);
  const rules = readHouseRules(message);
  try {
    const { head, part } = keys.perform({ ...order, ...rules }, pin, input);
    const encoded = encodeMessage({ id, ...head }, { output: part });
    part.fill(0);
    return encoded;
  } finally {
    pin.fill(0);
    input.fill(0);
  }
});
