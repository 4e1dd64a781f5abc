import { fromBase64, toHex } from '../../../lib/bytes.ts';
import { Aborted } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/log.ts';
import type { Random } from '../../../lib/random.ts';
import type { Secret } from '../../../lib/secret.ts';
import { HsmError } from '../pkcs11/errors.ts';
import {
  type HsmSeal,
  isCurrent,
  type SealBackendState,
  type SealCallOptions,
  type SealContext,
  type SealHealth,
  type SealKey,
  type SealKeyName,
} from '../seal.ts';
import { BREAK_GLASS, publicKeyOf, sealToPublicKey } from '../break-glass.ts';
import { decodeParts, encodeParts, type Part } from './blob.ts';

/**
 * One to three HSMs that each can open everything (Vault Enterprise: Seal High Availability).
 *
 * I1  What is wrapped has a part of every HSM that can be used at that moment, and of one at least. Who was missing gets
 *     its part when everything is rewrapped (core/seal-rewrap.ts).
 * I2  What is unwrapped is tried with the healthy ones first, then in the order of their priority.
 * I3  The group is healthy when all of them are; it works as long as one does.
 * I4  With a break-glass key, everything has a part for the people too; nothing of theirs is ever opened here.
 * I5  One HSM alone stores what it would store without a group.
 */
export interface Member {
  /** As the configuration names it. */
  readonly name: string;
  readonly seal: HsmSeal;
}

export interface GroupPorts {
  readonly random: Random;
  readonly log: Logger;
}

/** @param members the one to be tried first comes first; at least one */
export function createSealGroup(members: readonly Member[], ports: GroupPorts): HsmSeal {
  return new SealGroup(members, ports);
}

class SealGroup implements HsmSeal {
  readonly type = 'pkcs11';
  readonly #members: readonly Member[];
  readonly #random: Random;
  readonly #log: Logger;
  #breakGlass: string | undefined;

  constructor(members: readonly Member[], { random, log }: GroupPorts) {
    this.#members = members;
    this.#random = random;
    this.#log = log;
  }

  async open(options: SealCallOptions & { allowGenerateKey: boolean }): Promise<void> {
    // A vault is not made without one of its HSMs: nobody would notice that it cannot open it.
    if (options.allowGenerateKey) await Promise.all(this.#members.map(({ seal }) => seal.open(options)));
    else await this.#some(this.#members, ({ seal }) => seal.open(options));
  }

  async wrap(plaintext: Secret, context: SealContext, options: SealCallOptions): Promise<Uint8Array> {
    const parts = await this.#some(
      this.#usable(),
      async ({ name, seal }): Promise<Part> => ({
        name,
        blob: await seal.wrap(plaintext, context, options),
      }),
    );
    if (parts.length < this.#members.length)
      this.#log.warn(
        { wrapped: parts.map(({ name }) => name) },
        'a value was wrapped without one of the HSMs: it is wrapped again when that one works',
      );
    const people = this.#breakGlass;
    if (people === undefined) return encodeParts(parts);
    const seed = this.#random.bytes(32);
    return encodeParts([
      ...parts,
      { name: BREAK_GLASS, blob: sealToPublicKey(people, plaintext, context, seed) },
    ]);
  }

  unwrap(blob: Uint8Array, context: SealContext, options: SealCallOptions): Promise<Secret> {
    return this.#first(blob, (seal, part) => seal.unwrap(part, context, options));
  }

  async rehearse(blob: Uint8Array, context: SealContext, options: SealCallOptions): Promise<void> {
    await this.#first(blob, (seal, part) => seal.rehearse(part, context, options));
  }

  async wrote(blob: Uint8Array, options: SealCallOptions): Promise<boolean> {
    await this.keyReport(options);
    return isCurrent(this, this.keysOf(blob));
  }

  random(length: number, options: SealCallOptions): Promise<Uint8Array> {
    return this.#inTurn(this.#usable(), ({ seal }) => seal.random(length, options));
  }

  async prove(options: SealCallOptions & { readonly timeoutMs: number }): Promise<void> {
    await this.#some(this.#members, async ({ seal }) => {
      // One that was away at the start was never opened.
      if (seal.key() === undefined) await seal.open({ ...options, allowGenerateKey: false });
      await seal.prove(options);
    });
  }

  async keyReport(options: SealCallOptions): Promise<SealKey> {
    const [first] = await this.#some(this.#usable(), ({ seal }) => seal.keyReport(options));
    if (first === undefined) throw new HsmError('ERR_HSM_AGENT_UNAVAILABLE');
    return first;
  }

  key(): SealKey | undefined {
    return this.#members.map(({ seal }) => seal.key()).find((key) => key !== undefined);
  }

  keysOf(blob: Uint8Array): readonly SealKeyName[] {
    const keys = decodeParts(blob).flatMap((part) => {
      if (part.name === BREAK_GLASS) return breakGlassKeys(publicKeyOf(part.blob));
      const reader = this.#members.find(({ name }) => name === part.name) ?? this.#members[0];
      return reader === undefined ? [] : reader.seal.keysOf(part.blob);
    });
    if (keys.length === 0) throw new HsmError('ERR_SEAL_BLOB');
    return keys;
  }

  backends(): readonly SealBackendState[] {
    return [
      ...this.#members.map(({ name, seal }) => ({ name, health: seal.health(), key: seal.key() })),
      ...breakGlassKeys(this.#breakGlass).map((key) => ({
        name: BREAK_GLASS,
        health: { healthy: true, terminal: false },
        key: { ...key, attributes: {} },
      })),
    ];
  }

  breakGlass(publicKey: string | undefined): void {
    this.#breakGlass = publicKey;
  }

  async renewCredentials(options: SealCallOptions): Promise<boolean> {
    const renewed = await Promise.all(this.#members.map(({ seal }) => seal.renewCredentials(options)));
    return renewed.every((each) => each);
  }

  onChange(listener: () => void): void {
    for (const { seal } of this.#members) seal.onChange(listener);
  }

  health(): SealHealth {
    const all = this.#members.map(({ name, seal }) => ({ name, ...seal.health() }));
    const broken = all.filter(({ healthy }) => !healthy);
    const [first] = broken;
    if (first === undefined) return { healthy: true, terminal: false };
    const since = broken.flatMap(({ unhealthySince }) =>
      unhealthySince === undefined ? [] : [unhealthySince],
    );
    return {
      healthy: false,
      ...(since.length === 0 ? {} : { unhealthySince: Math.min(...since) }),
      ...(first.lastError === undefined ? {} : { lastError: first.lastError }),
      terminal: all.every(({ terminal }) => terminal),
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map(({ seal }) => seal.close()));
  }

  // All of them when none is known to work: whoever was away may be back.
  #usable(): readonly Member[] {
    const healthy = this.#members.filter(({ seal }) => seal.health().healthy);
    return healthy.length === 0 ? this.#members : healthy;
  }

  #first<T>(blob: Uint8Array, attempt: (seal: HsmSeal, part: Uint8Array) => Promise<T>): Promise<T> {
    const parts = decodeParts(blob).filter(({ name }) => name !== BREAK_GLASS);
    const named = parts.some(({ name }) => this.#members.some((member) => member.name === name));
    const able = this.#members.flatMap((member) =>
      parts
        // A seal that got another name is recognized by its key.
        .filter(({ name }) => !named || name === member.name)
        .map((part) => ({ ...member, blob: part.blob })),
    );
    const healthy = (member: Member): number => (member.seal.health().healthy ? 0 : 1);
    const order = able.toSorted((a, b) => healthy(a) - healthy(b));
    return this.#inTurn(order, ({ seal, blob: part }) => attempt(seal, part));
  }

  /** The first that succeeds. @throws what the first of them threw */
  async #inTurn<M, T>(members: readonly M[], attempt: (member: M) => Promise<T>): Promise<T> {
    let first: unknown;
    for (const member of members) {
      try {
        return await attempt(member);
      } catch (error) {
        if (error instanceof Aborted) throw error;
        first ??= error;
      }
    }
    throw first ?? new HsmError('ERR_SEAL_BLOB', { hint: 'none of the configured HSMs has a part of it' });
  }

  /** What succeeded, in order. @throws what the first of them threw when none did */
  async #some<M, T>(members: readonly M[], attempt: (member: M) => Promise<T>): Promise<T[]> {
    const outcomes = await Promise.allSettled(members.map(attempt));
    const done = outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const failed = outcomes.find((each) => each.status === 'rejected');
    if (done.length === 0 && failed !== undefined) throw failed.reason;
    return done;
  }
}

// Named as an HSM's key is, so that it is counted and asked for among them.
function breakGlassKeys(publicKey: string | undefined): readonly SealKeyName[] {
  if (publicKey === undefined) return [];
  const keyId = toHex(fromBase64(publicKey) ?? new Uint8Array());
  return [{ mechanism: 'X25519', keyLabel: BREAK_GLASS, keyId, checkValue: '' }];
}
