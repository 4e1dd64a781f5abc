import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { aesKey, Keyring } from '../../src/engine/barrier/keyring.ts';
import { openRecord, sealRecord } from '../../src/engine/barrier/record.ts';
import { decodeBlob } from '../../src/engine/seal/pkcs11/blob.ts';
import { createShamirSeal } from '../../src/engine/seal/shamir.ts';
import { errorCode } from '../../src/lib/errors.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { Secret } from '../../src/lib/secret.ts';
import { fuzz } from './fuzz.ts';

const key = aesKey(Secret.own(randomBytes(32)));
const path = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
const bytes = fc.uint8Array({ maxLength: 300 });
/** How a record was damaged. */
const damage = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('cut' as const), to: fc.nat() }),
  fc.record({ kind: fc.constant('grow' as const), by: fc.uint8Array({ minLength: 1, maxLength: 20 }) }),
);

type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

function damaged(record: Uint8Array, how: Damage): Uint8Array {
  if (how.kind === 'grow') return Buffer.concat([record, how.by]);
  if (how.kind === 'cut') return record.subarray(0, how.to % record.length);
  const copy = Uint8Array.from(record);
  const at = how.at % copy.length;
  copy[at] = (copy[at] ?? 0) ^ (1 << how.bit);
  return copy;
}

test('a record opens as it was sealed, and not at all once a bit of it or its path differs', async () => {
  await fuzz(fc.tuple(path, path, bytes, damage, fc.nat(0xffffffff)), ([at, other, value, how, term]) => {
    const record = sealRecord(key, term, at, value);
    expect(Buffer.compare(openRecord(key, at, record), value)).toBe(0);
    if (other !== at) expect(() => openRecord(key, other, record)).toThrow();
    const broken = damaged(record, how);
    try {
      openRecord(key, at, broken);
      // The term names the key and is not part of what is encrypted.
      expect(Buffer.compare(broken.subarray(4), record.subarray(4))).toBe(0);
    } catch (error) {
      expect(errorCode(error)).toBe('ERR_BARRIER_CORRUPT');
    }
  });
});

test('arbitrary bytes are neither a record, a keyring nor a wrapped key, and are refused as that', async () => {
  const shamir = createShamirSeal(systemRandom);
  shamir.setKey(Secret.own(randomBytes(32)));
  await fuzz(
    fc.oneof(
      bytes,
      fc.json().map((json) => Buffer.from(json)),
    ),
    async (value) => {
      const codes = async (work: () => unknown): Promise<string | undefined> => {
        try {
          await work();
          return 'accepted';
        } catch (error) {
          return errorCode(error);
        }
      };
      expect(await codes(() => openRecord(key, 'a', value))).toBe('ERR_BARRIER_CORRUPT');
      expect(await codes(() => Keyring.deserialize(Secret.own(Uint8Array.from(value))))).toBe(
        'ERR_BARRIER_CORRUPT',
      );
      expect(await codes(() => decodeBlob(value))).toBe('ERR_SEAL_BLOB');
      const context = { clusterId: 'c', purpose: 'root-key' } as const;
      const { signal } = new AbortController();
      expect(await codes(() => shamir.unwrap(value, context, { signal }))).toBe('ERR_SEAL_BLOB');
    },
  );
});
