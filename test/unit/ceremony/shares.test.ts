import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { combineShares, splitSecret } from '../../../src/ceremony/shares.ts';
import { fromHex, toHex } from '../../../src/lib/bytes.ts';
import { Secret } from '../../../src/lib/secret.ts';

const hex = (secret: Secret): string => secret.borrow(toHex);
const secretOf = (text: string): Secret => Secret.own(fromHex(text) ?? new Uint8Array());

describe('shares', () => {
  test('any threshold of them gives the secret back, one fewer does not', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.integer({ min: 2, max: 9 }),
        fc.integer({ min: 0, max: 7 }),
        fc.integer(),
        async (bytes, threshold, extra, seed) => {
          const wanted = toHex(bytes);
          using secret = Secret.own(Uint8Array.from(bytes));
          const shares = await splitSecret(secret, threshold + extra, threshold);
          const shuffled = shares
            .map((share, i) => ({ share, order: (i * 7919 + seed) % 101 }))
            .sort((a, b) => a.order - b.order)
            .map(({ share }) => share);
          expect(hex(await combineShares(shuffled.slice(0, threshold)))).toBe(wanted);
          if (threshold > 2) expect(hex(await combineShares(shuffled.slice(1, threshold)))).not.toBe(wanted);
          expect(hex(secret)).toBe(wanted);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a share is 33 bytes with an x between 1 and 255, and no x is used twice', async () => {
    using secret = Secret.own(new Uint8Array(32).fill(7));
    const shares = await splitSecret(secret, 255, 3);
    const xs = shares.map((share) => share.borrow((bytes) => bytes[32]));
    expect(new Set(shares.map((share) => share.length))).toEqual(new Set([33]));
    expect(new Set(xs).size).toBe(255);
    expect(xs).not.toContain(0);
  });

  test('one of one is the secret itself', async () => {
    using secret = secretOf('ab'.repeat(32));
    const shares = await splitSecret(secret, 1, 1);
    expect(shares.map(hex)).toEqual(['ab'.repeat(32)]);
    expect(hex(await combineShares(shares))).toBe('ab'.repeat(32));
  });

  test.each([
    [0, 0],
    [256, 3],
    [3, 1],
    [3, 4],
    [2.5, 2],
    [3, 0],
    [Number.NaN, 2],
  ])('%s shares with threshold %s are refused', async (shares, threshold) => {
    using secret = secretOf('00'.repeat(32));
    await expect(splitSecret(secret, shares, threshold)).rejects.toMatchObject({ code: 'ERR_SHARES' });
  });

  test.each([
    ['none', []],
    ['an empty one', ['']],
    ['an x of zero', ['aa00', 'bb01']],
    ['the same x twice', ['aa01', 'bb01']],
    ['different lengths', ['aa01', 'bbbb02']],
    ['one byte each', ['01', '02']],
  ])('%s is refused', async (_, shares) => {
    await expect(combineShares(shares.map(secretOf))).rejects.toMatchObject({ code: 'ERR_SHARES' });
  });

  const vectors: { name: string; shares: string[]; secret: string }[] = JSON.parse(
    readFileSync(new URL('../../vectors/shares.json', import.meta.url), 'utf8'),
  );
  test.each(vectors)('vector: $name', async ({ shares, secret }) => {
    expect(hex(await combineShares(shares.map(secretOf)))).toBe(secret);
  });
});
