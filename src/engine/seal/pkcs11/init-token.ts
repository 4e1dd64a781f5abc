import { fork } from 'node:child_process';
import { installedProgram } from '../../../lib/installed.ts';
import type { Secret } from '../../../lib/secret.ts';
import { libraryEnvironment } from './library-env.ts';
import { HsmError } from './errors.ts';
import { decodeMessage, encodeMessage, isObject, type Message, textField } from './message.ts';
import { pinOfText } from './pin.ts';
import { readError } from './protocol.ts';

export interface InitTokenOptions {
  /** Path of the PKCS#11 library. */
  readonly lib: string;
  /** 1 to 32 bytes. */
  readonly label: string;
  /** `HSM_PIN` and `HSM_SO_PIN` are taken from it; of the rest the library sees what vendor libraries read. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface InitializedToken {
  /** Decimal. */
  readonly slot: string;
  readonly serial: string;
  readonly label: string;
  /** False when a token of that label was there before: it is left as it is. */
  readonly created: boolean;
}

const PROGRAM = installedProgram('engine/seal/pkcs11/agent/init-token');
const TIMEOUT_MS = 60_000;

/**
 * Makes a token in the first slot that holds an uninitialised one, and sets its user PIN. Meant for SoftHSM and
 * for tests: a real HSM is initialised by its own tools and ceremonies.
 *
 * @throws ERR_HSM_PIN_MISSING, ERR_HSM_LIBRARY, ERR_HSM_TOKEN_NOT_FOUND (no free slot), ERR_HSM_TOKEN_AMBIGUOUS
 *   (several of that label), ERR_HSM_TIMEOUT, ERR_HSM_OPERATION
 */
export async function runHsmInitToken(options: InitTokenOptions): Promise<InitializedToken> {
  using pin = pinOf(options, 'HSM_PIN');
  using soPin = pinOf(options, 'HSM_SO_PIN');
  const length = new TextEncoder().encode(options.label).length;
  if (length < 1 || length > 32)
    throw new HsmError('ERR_HSM_OPERATION', { hint: 'a token label has 1 to 32 bytes' });
  const copy = (secret: Secret): Uint8Array => secret.borrow((bytes) => Uint8Array.from(bytes));
  const head = { id: 1, op: 'init-token', lib: options.lib, label: options.label };
  const message = await ask(encodeMessage(head, { pin: copy(pin), soPin: copy(soPin) }), options);
  const error = readError(message);
  if (error !== undefined) throw error;
  const token = message.head['token'];
  if (!isObject(token)) throw new HsmError('ERR_HSM_AGENT_UNAVAILABLE');
  return {
    slot: textField(token, 'slot'),
    serial: textField(token, 'serial'),
    label: textField(token, 'label'),
    created: token['created'] === true,
  };
}

async function ask(request: Uint8Array, { env }: InitTokenOptions): Promise<Message> {
  const child = fork(PROGRAM, [], {
    env: libraryEnvironment(env, undefined),
    execArgv: ['--disable-sigusr1'],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  try {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new HsmError('ERR_HSM_TIMEOUT')), TIMEOUT_MS);
      const fail = (): void =>
        reject(new HsmError('ERR_HSM_AGENT_UNAVAILABLE', { hint: 'the PKCS#11 process ended' }));
      child.once('exit', () => {
        clearTimeout(timer);
        fail();
      });
      child.once('error', fail);
      child.on('message', (bytes: unknown) => {
        if (bytes instanceof Uint8Array) resolve(decodeMessage(bytes));
      });
      child.send(request, () => request.fill(0));
    });
  } finally {
    child.kill('SIGKILL');
  }
}

function pinOf({ env }: InitTokenOptions, name: string): Secret {
  const pin = pinOfText(env[name] ?? '');
  if (pin === undefined)
    throw new HsmError('ERR_HSM_PIN_MISSING', { hint: `set ${name} in the environment` });
  return pin;
}
