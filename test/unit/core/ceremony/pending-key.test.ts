import { describe, expect, test } from 'vitest';
import { openPending } from '../../../../src/engine/core/ceremony/pending-key.ts';
import type { PendingKey } from '../../../../src/engine/core/ceremony/record.ts';
import { sealConfigPut } from '../../../../src/engine/core/seal-store.ts';
import { createInmem } from '../../../../src/engine/physical/inmem.ts';
import type { SealContext } from '../../../../src/engine/seal/seal.ts';
import { createShamirSeal } from '../../../../src/engine/seal/shamir.ts';
import { toBase64, toHex } from '../../../../src/lib/bytes.ts';
import { systemRandom as random } from '../../../../src/lib/random.ts';
import { Secret } from '../../../../src/lib/secret.ts';

const { signal } = new AbortController();
const clusterId = 'a-cluster';
const seal = createShamirSeal(random);
using unsealKey = Secret.own(new Uint8Array(32).fill(1));
seal.setKey(unsealKey);

async function pending(wrappedFor: SealContext['purpose'], more: Partial<PendingKey>): Promise<PendingKey> {
  using key = Secret.own(new Uint8Array(32).fill(2));
  const blob = toBase64(await seal.wrap(key, { clusterId, purpose: wrappedFor }, { signal }));
  return { blob, proofKeys: [], generation: 0, ...more };
}

async function open(value: PendingKey, purpose: Parameters<typeof openPending>[2]): Promise<string> {
  const physical = createInmem();
  await physical.write([sealConfigPut({ type: 'shamir', secretShares: 1, secretThreshold: 1, clusterId })]);
  using key = await openPending({ seal, physical } as never, value, purpose, signal);
  return key.borrow(toHex);
}

const both = ['pending-recovery-key', 'pending-break-glass-key'] as const;

describe('a key that waits for its custodians', () => {
  test.each(both)('opens for what it was made: %s', async (purpose) => {
    expect(await open(await pending(purpose, { purpose }), purpose)).toBe('02'.repeat(32));
  });

  test.each(both)('in a record of before, which names no purpose, opens for %s', async (purpose) => {
    expect(await open(await pending('recovery-key', {}), purpose)).toBe('02'.repeat(32));
  });

  test('opens for nothing else, whatever its record says', async () => {
    const [recovery, breakGlass] = both;
    for (const [wrappedFor, purpose, asked] of [
      [recovery, recovery, breakGlass],
      [breakGlass, breakGlass, recovery],
      [breakGlass, recovery, recovery],
      [breakGlass, undefined, breakGlass],
      ['recovery-key', recovery, recovery],
      ['recovery-key', breakGlass, breakGlass],
      ['root-key', undefined, recovery],
      ['seal-wrap', breakGlass, breakGlass],
    ] as const) {
      const value = await pending(wrappedFor, purpose === undefined ? {} : { purpose });
      await expect(open(value, asked), `${wrappedFor} ${asked}`).rejects.toMatchObject({
        code: 'ERR_SEAL_BLOB',
      });
    }
  });
});
