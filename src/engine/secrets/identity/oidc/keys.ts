import type { Clock } from '../../../../lib/clock.ts';
import { KeyedMutex } from '../../../../lib/keyed-mutex.ts';
import type { Random } from '../../../../lib/random.ts';
import { getJson, jsonPut, type Storage } from '../../../logical/storage.ts';
import { type Algorithm, generatePair, type PublicJwk, type StoredPair } from './signing.ts';

/** A named key: what signs now, what will sign next, and what did until lately. Times in seconds. */
export interface NamedKey {
  readonly algorithm: Algorithm;
  readonly rotationPeriod: number;
  readonly verificationTtl: number;
  readonly allowedClientIds: readonly string[];
  readonly nextRotation: number;
  /** Made when first needed. */
  readonly pairs: { readonly signing: StoredPair; readonly next: StoredPair } | null;
  readonly retired: readonly { readonly key: PublicJwk; readonly expires: number }[];
}

/** A key that has been used. */
export type ReadyKey = NamedKey & { readonly pairs: NonNullable<NamedKey['pairs']> };

export const DEFAULT_KEY = 'default';
const DAY = 86_400;

/** Named keys at `oidc/key/<name>`. They rotate when they are looked at and their period is over. */
export class OidcKeys {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #turns = new KeyedMutex();

  constructor(storage: Storage, clock: Clock, random: Random) {
    this.#storage = storage;
    this.#clock = clock;
    this.#random = random;
  }

  now(): number {
    return Math.floor(this.#clock.now() / 1000);
  }

  /** Settings only. The default key is always there. */
  async get(name: string): Promise<NamedKey | undefined> {
    const stored = await getJson<NamedKey>(this.#storage, `oidc/key/${name}`);
    return stored ?? (name === DEFAULT_KEY ? this.#default() : undefined);
  }

  async names(): Promise<string[]> {
    return [...new Set([...(await this.#storage.list('oidc/key/')), DEFAULT_KEY])].toSorted();
  }

  /** One change of a key at a time; what edit returns is saved unless it is a text, which is a refusal. */
  change(
    name: string,
    edit: (key: NamedKey | undefined) => Promise<NamedKey | string> | NamedKey | string,
  ): Promise<string | undefined> {
    return this.#turns.run(name, async () => {
      const next = await edit(await this.get(name));
      if (typeof next === 'string') return next;
      await this.#storage.write([jsonPut(`oidc/key/${name}`, next)]);
      return undefined;
    });
  }

  delete(name: string): Promise<void> {
    return this.#turns.run(name, () => this.#storage.delete(`oidc/key/${name}`));
  }

  /** The key with its pairs; rotated first when that is due. */
  async ready(name: string): Promise<ReadyKey | undefined> {
    const key = await this.get(name);
    if (key === undefined || this.#isReady(key)) return key;
    return this.#turns.run(name, async () => {
      const current = await this.get(name);
      if (current === undefined || this.#isReady(current)) return current;
      const next = current.pairs === null ? await this.#withPairs(current) : await this.#rotated(current);
      await this.#storage.write([jsonPut(`oidc/key/${name}`, next)]);
      return next;
    });
  }

  /** Makes the next pair sign from now on; what signed until now is good for verifying that long. */
  async rotate(name: string, verificationTtl: number | undefined): Promise<boolean> {
    return this.#turns.run(name, async () => {
      const current = await this.get(name);
      if (current === undefined) return false;
      const next = await this.#rotated(await this.#withPairs(current), verificationTtl);
      await this.#storage.write([jsonPut(`oidc/key/${name}`, next)]);
      return true;
    });
  }

  /** What verifies signatures of these keys. */
  async publicKeys(names: Iterable<string>): Promise<PublicJwk[]> {
    const found: PublicJwk[] = [];
    for (const name of new Set(names)) {
      const key = await this.ready(name);
      if (key === undefined) continue;
      found.push(key.pairs.signing.publicKey, key.pairs.next.publicKey);
      for (const { key: old, expires } of key.retired) if (expires > this.now()) found.push(old);
    }
    return found;
  }

  #default(): NamedKey {
    return {
      algorithm: 'RS256',
      rotationPeriod: DAY,
      verificationTtl: DAY,
      allowedClientIds: ['*'],
      nextRotation: this.now() + DAY,
      pairs: null,
      retired: [],
    };
  }

  #isReady(key: NamedKey): key is ReadyKey {
    return key.pairs !== null && this.now() < key.nextRotation;
  }

  async #withPairs(key: NamedKey): Promise<ReadyKey> {
    if (key.pairs !== null) return { ...key, pairs: key.pairs };
    const [signing, next] = await Promise.all([this.#pair(key), this.#pair(key)]);
    return { ...key, pairs: { signing, next }, nextRotation: this.now() + key.rotationPeriod };
  }

  async #rotated(key: NamedKey, verificationTtl = key.verificationTtl): Promise<ReadyKey> {
    const now = this.now();
    const { pairs } = await this.#withPairs(key);
    const retired = { key: pairs.signing.publicKey, expires: now + verificationTtl };
    return {
      ...key,
      pairs: { signing: pairs.next, next: await this.#pair(key) },
      retired: [...key.retired.filter(({ expires }) => expires > now), retired],
      nextRotation: now + key.rotationPeriod,
    };
  }

  #pair({ algorithm }: NamedKey): Promise<StoredPair> {
    return generatePair(algorithm, this.#random.uuid());
  }
}
