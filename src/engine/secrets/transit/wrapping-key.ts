import { createPrivateKey, type KeyObject } from 'node:crypto';
import { generateRsaKey } from '../../../lib/rsa-key.ts';
import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import { view } from '../../../lib/bytes.ts';
import type { Storage } from '../../logical/storage.ts';

const KEY = 'import/wrapping-key';

/** The RSA-4096 key of the mount under which keys travel to it. Made when it is first asked for. */
export class WrappingKey {
  readonly #storage: Storage;
  readonly #mutex = new KeyedMutex();
  #key: KeyObject | undefined;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  async privateKey(): Promise<KeyObject> {
    this.#key ??= await this.#mutex.run(KEY, () => this.#load());
    return this.#key;
  }

  async #load(): Promise<KeyObject> {
    if (this.#key !== undefined) return this.#key;
    const stored = await this.#storage.get(KEY);
    if (stored !== undefined) return createPrivateKey({ key: view(stored), format: 'der', type: 'pkcs8' });
    const { privateKey } = await generateRsaKey(4096);
    await this.#storage.put(KEY, privateKey.export({ type: 'pkcs8', format: 'der' }));
    return privateKey;
  }
}
