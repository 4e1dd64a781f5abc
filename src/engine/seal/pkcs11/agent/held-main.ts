import { HsmError } from '../errors.ts';
import { readOrder } from '../held-key.ts';
import { decodeMessage, encodeMessage, type Message, numberField } from '../message.ts';
import { errorFields } from '../protocol.ts';
import { HeldKeys } from './held-keys.ts';

/**
 * The process that works with managed keys: like main.ts, but for another purpose and apart from it, so that whoever may
 * sign with a managed key is not one step from the key that seals the vault.
 */
const keys = new HeldKeys();

function answer(message: Message): Uint8Array {
  const id = numberField(message.head, 'id');
  try {
    const { pin, input, ...order } = readOrder(message);
    try {
      const { head, part } = keys.perform(order, pin, input);
      const encoded = encodeMessage({ id, ...head }, { output: part });
      part.fill(0);
      return encoded;
    } finally {
      pin.fill(0);
      input.fill(0);
    }
  } catch (error) {
    const hint = 'the PKCS#11 process failed unexpectedly';
    const known =
      error instanceof HsmError ? error : new HsmError('ERR_HSM_OPERATION', { hint, repair: 'process' });
    return encodeMessage({ id, ...errorFields(known) });
  }
}

function send(bytes: Uint8Array): void {
  process.send?.(bytes, undefined, undefined, () => bytes.fill(0));
}

process.on('message', (bytes: unknown) => {
  if (!(bytes instanceof Uint8Array)) return;
  const message = decodeMessage(bytes);
  bytes.fill(0);
  send(answer(message));
});
process.on('disconnect', () => process.exit(0));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)
  process.on(signal, () => {});
send(encodeMessage({ ready: true }));
