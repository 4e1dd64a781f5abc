import { createPublicKey, type KeyObject } from 'node:crypto';
import { view } from '../../../lib/bytes.ts';
import type { Secret } from '../../../lib/secret.ts';
import {
  type FoundKey,
  type HeldKeyChoice,
  type HeldKeyOrder,
  type HeldKeyShape,
  MAX_HELD_BYTES,
} from './held-key.ts';
import { isObject, malformed, type Message, part, textField } from './message.ts';

/** A key pair on a token, and the PIN that opens it. */
export interface HeldKey {
  readonly choice: HeldKeyChoice;
  readonly pin: Secret;
}

/** Where a library of managed keys is: in a process of this one (held-library.ts), or behind an HSM agent (remote-held-keys.ts). */
export interface HeldKeyPort {
  /** @throws ERR_HSM_*, ERR_SEAL_BLOB */
  call(key: HeldKey, order: HeldKeyOrder, input: Uint8Array): Promise<Message>;
  close(): Promise<void>;
}

/** Keys that stay in an HSM, behind one library of a `kms_library` block. */
export class KeyLibrary {
  readonly #port: HeldKeyPort;

  constructor(port: HeldKeyPort) {
    this.#port = port;
  }

  /** Finds a key; makes it when it is not there and a shape is given. @throws ERR_HSM_* */
  async find(
    key: HeldKey,
    generate: HeldKeyShape | undefined,
  ): Promise<FoundKey & { readonly publicKey: KeyObject }> {
    const message = await this.#port.call(
      key,
      { op: 'find', ...(generate === undefined ? {} : { generate }) },
      none,
    );
    const found = message.head['key'];
    if (!isObject(found)) throw malformed();
    return {
      keyLabel: textField(found, 'keyLabel'),
      keyId: textField(found, 'keyId'),
      generated: found['generated'] === true,
      publicKey: createPublicKey({ key: view(outputOf(message)), format: 'der', type: 'spki' }),
    };
  }

  /** @returns a signature of a digest, as PKCS#11 has it. @throws ERR_HSM_* */
  async sign(key: HeldKey, order: Omit<SignOrder, 'op'>, digest: Uint8Array): Promise<Uint8Array> {
    return outputOf(await this.#port.call(key, { op: 'sign', ...order }, digest));
  }

  /** Opens what RSA-OAEP encrypted; the caller wipes it. @throws ERR_HSM_*, ERR_SEAL_BLOB */
  async decrypt(key: HeldKey, hash: SignOrder['hash'], ciphertext: Uint8Array): Promise<Uint8Array> {
    return outputOf(await this.#port.call(key, { op: 'decrypt', hash }, ciphertext));
  }

  close(): Promise<void> {
    return this.#port.close();
  }
}

type SignOrder = Extract<HeldKeyOrder, { readonly op: 'sign' }>;

const none = new Uint8Array();

function outputOf(message: Message): Uint8Array {
  return part(message, 'output', MAX_HELD_BYTES);
}
