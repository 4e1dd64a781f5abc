import { HsmError } from '../errors.ts';
import { decodeMessage, encodeMessage, type Message, numberField } from '../message.ts';
import { errorFields } from '../protocol.ts';

/**
 * Answers the parent's messages, one after the other, until it is gone.
 * @param answer the reply to a message; what it throws becomes one
 */
export function serve(answer: (message: Message, id: number) => Uint8Array): void {
  const reply = (message: Message): Uint8Array => {
    const id = numberField(message.head, 'id');
    try {
      return answer(message, id);
    } catch (error) {
      return encodeMessage({ id, ...errorFields(error instanceof HsmError ? error : unexpected()) });
    }
  };
  process.on('message', (bytes: unknown) => {
    if (!(bytes instanceof Uint8Array)) return;
    const message = decodeMessage(bytes);
    bytes.fill(0);
    send(reply(message));
  });
  process.on('disconnect', () => process.exit(0));
  // The parent decides when this process ends; a signal for the whole group must not end it first, nor open a debugger.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)
    process.on(signal, () => {});
  send(encodeMessage({ ready: true }));
}

function unexpected(): HsmError {
  return new HsmError('ERR_HSM_OPERATION', {
    hint: 'the PKCS#11 process failed unexpectedly',
    repair: 'process',
  });
}

function send(bytes: Uint8Array): void {
  process.send?.(bytes, undefined, undefined, () => bytes.fill(0));
}
