import { Aborted, errorCode } from '../../lib/errors.ts';
import type { Secret } from '../../lib/secret.ts';
import type {
  HsmSeal,
  Seal,
  SealBackendState,
  SealCallOptions,
  SealContext,
  SealHealth,
  SealKey,
  SealKeyName,
} from './seal.ts';

type Trial = { readonly opened: true } | { readonly opened: false; readonly error: unknown };

/**
 * Two HSM seals of a vault that goes on serving while it changes from the one to the other: a ceremony decides when.
 *
 * I1  Whatever is wrapped is wrapped by the seal in force. What it did not wrap, the other one is asked for.
 * I2  Which one is in force is told by the stored root key, and by nothing that is kept beside it.
 * I3  The old HSM opens the vault also while the new one is away, and the other way round once the change is made.
 */
export class HandoverSeal implements HsmSeal {
  readonly type = 'pkcs11';
  readonly from: HsmSeal;
  readonly to: HsmSeal;
  readonly #listeners: (() => void)[] = [];
  #current: HsmSeal;

  constructor({ from, to }: { readonly from: HsmSeal; readonly to: HsmSeal }) {
    this.from = from;
    this.to = to;
    this.#current = to;
    for (const seal of [from, to])
      seal.onChange(() => {
        if (this.#current === seal) this.#notify();
      });
  }

  /** Whether the vault is under its old seal. */
  get isPending(): boolean {
    return this.#current === this.from;
  }

  /**
   * Finds out which seal the stored root key is under.
   * @throws ERR_HSM_*, ERR_SEAL_BLOB when neither opens it: of the one that may be right
   */
  async settle(blob: Uint8Array, context: SealContext, { signal }: SealCallOptions): Promise<void> {
    const opens = async (seal: HsmSeal): Promise<Trial> => {
      try {
        await seal.open({ signal, allowGenerateKey: false });
        using _rootKey = await seal.unwrap(blob, context, { signal });
        return { opened: true };
      } catch (error) {
        if (error instanceof Aborted) throw error;
        return { opened: false, error };
      }
    };
    // Where both are on one HSM, both may open it, by the key that the value names: then the seal counts whose key it is.
    const ofNew = (await this.#wrote(blob, signal)) ? await opens(this.to) : undefined;
    if (ofNew?.opened === true) return this.#put(this.to);
    const ofOld = await opens(this.from);
    if (ofOld.opened) return this.#put(this.from);
    const last = ofNew ?? (await opens(this.to));
    if (last.opened) return this.#put(this.to);
    throw isOfAnother(ofOld.error) ? last.error : ofOld.error;
  }

  /** The new seal is in force: what was wrapped by the old one has been wrapped by it. */
  complete(): void {
    this.#put(this.to);
  }

  open(options: SealCallOptions & { allowGenerateKey: boolean }): Promise<void> {
    return this.#current.open(options);
  }

  wrap(plaintext: Secret, context: SealContext, options: SealCallOptions): Promise<Uint8Array> {
    return this.#current.wrap(plaintext, context, options);
  }

  async unwrap(blob: Uint8Array, context: SealContext, options: SealCallOptions): Promise<Secret> {
    const other = this.isPending ? this.to : this.from;
    try {
      return await this.#current.unwrap(blob, context, options);
    } catch (error) {
      if (!isOfAnother(error)) throw error;
      try {
        await other.open({ ...options, allowGenerateKey: false });
        return await other.unwrap(blob, context, options);
      } catch {
        throw error;
      }
    }
  }

  wrote(blob: Uint8Array, options: SealCallOptions): Promise<boolean> {
    return this.#current.wrote(blob, options);
  }

  random(length: number, options: SealCallOptions): Promise<Uint8Array> {
    return this.#current.random(length, options);
  }

  key(): SealKey | undefined {
    return this.#current.key();
  }

  keyReport(options: SealCallOptions): Promise<SealKey> {
    return this.#current.keyReport(options);
  }

  prove(options: SealCallOptions & { readonly timeoutMs: number }): Promise<void> {
    return this.#current.prove(options);
  }

  rehearse(blob: Uint8Array, context: SealContext, options: SealCallOptions): Promise<void> {
    return this.#current.rehearse(blob, context, options);
  }

  keysOf(blob: Uint8Array): readonly SealKeyName[] {
    return this.#current.keysOf(blob);
  }

  backends(): readonly SealBackendState[] {
    return this.#current.backends();
  }

  health(): SealHealth {
    return this.#current.health();
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async renewCredentials(options: SealCallOptions): Promise<boolean> {
    const renewed = await Promise.all([this.from, this.to].map((seal) => seal.renewCredentials(options)));
    return renewed.every((each) => each);
  }

  breakGlass(publicKey: string | undefined): void {
    this.from.breakGlass(publicKey);
    this.to.breakGlass(publicKey);
  }

  async close(): Promise<void> {
    await Promise.all([this.from.close(), this.to.close()]);
  }

  async #wrote(blob: Uint8Array, signal: AbortSignal): Promise<boolean> {
    try {
      await this.to.open({ signal, allowGenerateKey: false });
      return await this.to.wrote(blob, { signal });
    } catch (error) {
      if (error instanceof Aborted) throw error;
      return false;
    }
  }

  #put(seal: HsmSeal): void {
    if (this.#current === seal) return;
    this.#current = seal;
    this.#notify();
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}

export function isHandover(seal: Seal): seal is HandoverSeal {
  return seal instanceof HandoverSeal;
}

// The HSM answered, and has not what opens the value.
function isOfAnother(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ERR_HSM_KEY_NOT_FOUND' || code === 'ERR_SEAL_BLOB';
}
