import { equalBytes } from '../../lib/bytes.ts';
import { describeError, errorCode } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Barrier } from '../barrier/barrier.ts';
import type { Physical, PhysicalOperation } from '../physical/physical.ts';
import { HsmError } from '../seal/pkcs11/errors.ts';
import { type HsmSeal, isCurrent, isSameKey, type SealContext } from '../seal/seal.ts';
import type { RewrapStatus } from '../sys/seal-port.ts';
import { retiredKeys, retiredKeysPut, type SealedRecord, sealedRecords } from './seal-records.ts';
import { readSealConfig } from './seal-store.ts';

/**
 * Moves everything that is sealed from the key it names to the key that is configured.
 *
 * I1  One atomic write: a crash leaves all records under their old keys, or all under the new one.
 * I2  A new blob is opened again and compared before it replaces the old one.
 * I3  It takes turns with every other change of these records (the barrier's): none is lost.
 * I4  A failure changes nothing, and nothing depends on the success: old blobs open by the key they name.
 */
export interface RewrapOptions {
  readonly seal: HsmSeal;
  readonly physical: Physical;
  readonly log: Logger;
}

export class SealRewrap {
  readonly #options: RewrapOptions;
  #running: Promise<void> | undefined;
  #counts = { processed: 0, succeeded: 0, failed: 0 };

  constructor(options: RewrapOptions) {
    this.#options = options;
  }

  status(): RewrapStatus {
    return { running: this.#running !== undefined, ...this.#counts };
  }

  /** Runs once; the promise never rejects. @returns undefined when one is running already */
  run(barrier: Barrier, signal: AbortSignal): Promise<void> | undefined {
    if (this.#running !== undefined) return undefined;
    this.#counts = { processed: 0, succeeded: 0, failed: 0 };
    const { log } = this.#options;
    this.#running = barrier
      .exclusively(() => this.#rewrap(signal))
      .catch((error: unknown) => {
        const fields = { code: errorCode(error), reason: describeError(error) };
        log.warn(fields, 'what the seal wraps could not be moved to its new key');
        this.#counts.failed = Math.max(1, this.#counts.processed - this.#counts.succeeded);
      })
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  /** Waits for the one that runs. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #rewrap(signal: AbortSignal): Promise<void> {
    const { seal, physical, log } = this.#options;
    const config = await readSealConfig(physical);
    if (config === undefined) return;
    await seal.keyReport({ signal });
    const records = await sealedRecords(physical, seal);
    const readable = records.filter(({ keys }) => keys.length > 0);
    const stale = readable.filter(({ keys }) => !isCurrent(seal, keys));
    this.#counts.failed = records.length - readable.length;
    this.#counts.succeeded = readable.length - stale.length;
    this.#counts.processed = records.length - stale.length;
    if (stale.length === 0) return;
    const writes: PhysicalOperation[] = [];
    for (const record of stale) {
      this.#counts.processed += 1;
      writes.push(
        await this.#renew(record, { clusterId: config.clusterId, purpose: record.purpose }, signal),
      );
    }
    const current = seal.backends().flatMap(({ key }) => (key === undefined ? [] : [key]));
    const left = [...(await retiredKeys(physical)), ...stale.flatMap(({ keys }) => keys)];
    const retired = left.filter(
      (key, index) =>
        !current.some((each) => isSameKey(key, each)) &&
        left.findIndex((each) => isSameKey(each, key)) === index,
    );
    await physical.write([...writes, retiredKeysPut(retired)]);
    this.#counts.succeeded = readable.length;
    log.info(
      { records: stale.length, keys: current.map(({ keyLabel, keyId }) => ({ keyLabel, keyId })) },
      'what the seal wraps was moved to its keys of today',
    );
  }

  async #renew(
    { blob, put }: SealedRecord,
    context: SealContext,
    signal: AbortSignal,
  ): Promise<PhysicalOperation> {
    const { seal } = this.#options;
    using plaintext = await seal.unwrap(blob, context, { signal });
    const renewed = await seal.wrap(plaintext, context, { signal });
    using back = await seal.unwrap(renewed, context, { signal });
    if (!plaintext.borrow((a) => back.borrow((b) => equalBytes(a, b))))
      throw new HsmError('ERR_HSM_SELF_TEST');
    return put(renewed);
  }
}
