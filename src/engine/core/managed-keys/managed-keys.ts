import { createHash, constants, type KeyObject, verify } from 'node:crypto';
import { ecdsaDer } from '../../../lib/ecdsa-der.ts';
import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import type { Random } from '../../../lib/random.ts';
import type { ManagedKey, ManagedKeyRef, ManagedSignature } from '../../logical/managed-key.ts';
import { getJson, jsonPut, type Storage } from '../../logical/storage.ts';
import type { MountEntry } from '../../mount/mount.ts';
import { HsmError } from '../../seal/pkcs11/errors.ts';
import type { KeyLibrary } from '../../seal/pkcs11/key-library.ts';
import type { ManagedKeyConfig, ManagedKeyPort } from '../../sys/managed-key-port.ts';
import { heldKeyOf, type ManagedKeyEntry, problemOf, shapeOf, useOf } from './entry.ts';

export interface ManagedKeysOptions {
  /** Where the configurations are, PINs among them: seal-wrapped. */
  readonly storage: Storage;
  /** By the names of their `kms_library` stanzas. */
  readonly libraries: ReadonlyMap<string, KeyLibrary>;
  readonly random: Random;
  /** All mounts, with what each may use. */
  readonly mounts: () => readonly MountEntry[];
}

/**
 * Managed keys (Vault Enterprise): configurations of keys that lie in HSMs, which the engines of mounts use without ever
 * holding them.
 *
 * I1  A mount uses a key only while `any_mount` or its own `allowed_managed_keys` lets it; this is asked at each use.
 * I2  A key is known by an id that stays; its public key is asked for once, and again when the configuration names another.
 * I3  A PIN is never read back.
 */
export class ManagedKeys implements ManagedKeyPort {
  readonly #options: ManagedKeysOptions;
  readonly #turns = new KeyedMutex();
  readonly #publicKeys = new Map<string, { readonly of: string; readonly key: KeyObject }>();

  constructor(options: ManagedKeysOptions) {
    this.#options = options;
  }

  async list(): Promise<string[]> {
    return this.#options.storage.list('');
  }

  async get(name: string): Promise<ManagedKeyEntry | undefined> {
    return getJson<ManagedKeyEntry>(this.#options.storage, name);
  }

  put(
    name: string,
    edit: (before: ManagedKeyConfig | undefined) => ManagedKeyConfig | string,
  ): Promise<string | undefined> {
    const { storage, libraries, random } = this.#options;
    return this.#turns.run(name, async () => {
      const before = await this.get(name);
      const config = edit(before);
      if (typeof config === 'string') return config;
      const problem = problemOf(config, new Set(libraries.keys()));
      if (problem !== undefined) return problem;
      await storage.write([jsonPut(name, { ...config, id: before?.id ?? random.uuid() })]);
      return undefined;
    });
  }

  remove(name: string): Promise<string | undefined> {
    const { storage, mounts } = this.#options;
    return this.#turns.run(name, async () => {
      const user = mounts().find(({ config }) => config.allowedManagedKeys?.includes(name) === true);
      if (user !== undefined)
        return `managed key ${JSON.stringify(name)} is in the allowed_managed_keys of mount ${user.path}`;
      await storage.delete(name);
      return undefined;
    });
  }

  async testSign(
    name: string,
    how: Pick<ManagedSignature, 'hash'> & { pss: boolean },
  ): Promise<string | undefined> {
    const entry = await this.get(name);
    if (entry === undefined) return `no managed key named ${JSON.stringify(name)}`;
    const use = useOf(entry);
    if (use === 'oaep') return 'the mechanism of the key, CKM_RSA_PKCS_OAEP, does not sign';
    try {
      const key = await this.#open(entry);
      const data = this.#options.random.bytes(64);
      const scheme = use === 'ecdsa' ? use : how.pss ? 'pss' : use;
      const digest = createHash(how.hash).update(data).digest();
      const signature = await key.sign(digest, { scheme, hash: how.hash });
      const padding = scheme === 'pss' ? { padding: constants.RSA_PKCS1_PSS_PADDING } : {};
      if (verify(how.hash, data, { key: key.publicKey, ...padding }, signature)) return undefined;
      return 'the HSM made a signature that its public key does not verify';
    } catch (error) {
      if (!(error instanceof HsmError)) throw error;
      return error.hint === undefined ? error.message : `${error.message}: ${error.hint}`;
    }
  }

  /** For the engine of a mount. */
  async openFor(
    mount: MountEntry | undefined,
    ref: ManagedKeyRef,
  ): Promise<ManagedKey | { refused: string }> {
    const entry = await this.#find(ref);
    const granted =
      entry !== undefined &&
      (entry.anyMount || mount?.config.allowedManagedKeys?.includes(entry.name) === true);
    // Whether a key exists that the mount may not use is nobody's business.
    if (!granted)
      return {
        refused: `no managed key ${JSON.stringify('name' in ref ? ref.name : ref.id)} is available to this mount: check its allowed_managed_keys`,
      };
    return this.#open(entry);
  }

  async #find(ref: ManagedKeyRef): Promise<ManagedKeyEntry | undefined> {
    if ('name' in ref) return this.get(ref.name);
    const entries = await Promise.all((await this.list()).map((name) => this.get(name)));
    return entries.find((entry) => entry?.id === ref.id);
  }

  async #open(entry: ManagedKeyEntry): Promise<ManagedKey> {
    const library = this.#options.libraries.get(entry.library);
    if (library === undefined)
      throw new HsmError('ERR_HSM_LIBRARY', {
        hint: `kms_library ${entry.library} is not configured any more`,
      });
    const publicKey = await this.#publicKey(entry, library);
    return {
      id: entry.id,
      name: entry.name,
      publicKey,
      use: useOf(entry),
      sign: async (digest, { scheme, hash, saltLength }) => {
        const order = { scheme, hash, saltLength: saltLength ?? digest.length };
        using held = disposable(entry);
        const signature = await library.sign(held, order, digest);
        return scheme === 'ecdsa' ? ecdsaDer(signature) : signature;
      },
      decrypt: async (ciphertext, hash) => {
        using held = disposable(entry);
        return await library.decrypt(held, hash, ciphertext);
      },
    };
  }

  async #publicKey(entry: ManagedKeyEntry, library: KeyLibrary): Promise<KeyObject> {
    // Of what decides which key it is.
    const { library: name, slot, tokenLabel, keyLabel, keyId, mechanism } = entry;
    const of = JSON.stringify([name, slot, tokenLabel, keyLabel, keyId, mechanism]);
    const known = this.#publicKeys.get(entry.id);
    if (known?.of === of) return known.key;
    using held = disposable(entry);
    const { publicKey } = await library.find(held, shapeOf(entry));
    this.#publicKeys.set(entry.id, { of, key: publicKey });
    return publicKey;
  }
}

function disposable(entry: ManagedKeyEntry): ReturnType<typeof heldKeyOf> & Disposable {
  const held = heldKeyOf(entry);
  return { ...held, [Symbol.dispose]: () => held.pin[Symbol.dispose]() };
}
