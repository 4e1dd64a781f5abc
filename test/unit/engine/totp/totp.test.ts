import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBase32, encodeBase32 } from '../../../../src/lib/totp/base32.ts';
import { codeAt, isValidCode } from '../../../../src/lib/totp/code.ts';
import { formatOtpAuth, parseOtpAuth } from '../../../../src/lib/totp/otpauth.ts';
import { TotpStore } from '../../../../src/engine/secrets/totp/store.ts';

const keys = { SHA1: 20, SHA256: 32, SHA512: 64 } as const;
const digits = '1234567890';
const keyOf = (algorithm: keyof typeof keys) =>
  createSecretKey(Buffer.from(digits.repeat(7).slice(0, keys[algorithm])));

describe('codes', () => {
  // RFC 6238, appendix B.
  test.each([
    [59, '94287082', '46119246', '90693936'],
    [1111111109, '07081804', '68084774', '25091201'],
    [1111111111, '14050471', '67062674', '99943326'],
    [1234567890, '89005924', '91819424', '93441116'],
    [2000000000, '69279037', '90698825', '38618901'],
    [20000000000, '65353130', '77737706', '47863826'],
  ])('are those of RFC 6238 at %d', (seconds, sha1, sha256, sha512) => {
    for (const [algorithm, code] of [
      ['SHA1', sha1],
      ['SHA256', sha256],
      ['SHA512', sha512],
    ] as const) {
      const key = keyOf(algorithm);
      expect(codeAt(key, { algorithm, digits: 8, period: 30 }, seconds)).toBe(code);
      expect(codeAt(key, { algorithm, digits: 6, period: 30 }, seconds)).toBe(code.slice(2));
    }
  });

  test('are good within the skew and not beyond it', () => {
    const key = keyOf('SHA1');
    const shape = { algorithm: 'SHA1', digits: 8, period: 30 } as const;
    const now = 1_234_567_890;
    for (const skew of [0, 1])
      for (const steps of [-2, -1, 0, 1, 2])
        expect(
          isValidCode(key, shape, skew, codeAt(key, shape, now + steps * 30), now),
          `${skew} ${steps}`,
        ).toBe(Math.abs(steps) <= skew);
  });

  test('are refused in another length', () => {
    const shape = { algorithm: 'SHA1', digits: 6, period: 30 } as const;
    for (const code of ['', '0', '28708', '2870820', '９４２８７０'])
      expect(isValidCode(keyOf('SHA1'), shape, 1, code, 59)).toBe(false);
    expect(isValidCode(keyOf('SHA1'), shape, 0, '287082', 59)).toBe(true);
  });
});

describe('base32', () => {
  test('is that of RFC 4648', () => {
    const vectors = {
      f: 'MY',
      fo: 'MZXQ',
      foo: 'MZXW6',
      foob: 'MZXW6YQ',
      fooba: 'MZXW6YTB',
      foobar: 'MZXW6YTBOI',
    };
    for (const [plain, encoded] of Object.entries(vectors)) {
      expect(encodeBase32(Buffer.from(plain))).toBe(encoded);
      expect(decodeBase32(encoded.toLowerCase())).toEqual(Uint8Array.from(Buffer.from(plain)));
    }
  });

  test('decodes what it encoded', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(decodeBase32(encodeBase32(bytes))).toEqual(bytes);
      }),
    );
  });

  test('names the first wrong character', () => {
    expect(decodeBase32('AA1A')).toBe(2);
    expect(decodeBase32('A')).toBe(1);
  });
});

test('a url says what it was made from', () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => !text.includes(':')),
      fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => !/^\/|^\.+$/.test(text)),
      fc.constantFrom('SHA1', 'SHA256', 'SHA512'),
      fc.constantFrom(6, 8),
      fc.integer({ min: 1, max: 100_000 }),
      (issuer, accountName, algorithm, length, period) => {
        const shape = { algorithm: algorithm as 'SHA1', digits: length as 6, period };
        expect(parseOtpAuth(formatOtpAuth('ABCD', issuer, accountName, shape))).toEqual({
          key: 'ABCD',
          issuer,
          accountName,
          ...shape,
        });
      },
    ),
  );
});

test('a used code is remembered until it cannot be good, and no longer', () => {
  const store = new TotpStore({
    get: async () => undefined,
    put: async () => undefined,
    delete: async () => undefined,
    write: async () => undefined,
    list: async () => [],
  });
  expect(store.use('k', '1', 100, 160)).toBe(false);
  expect(store.use('k', '1', 159, 219)).toBe(true);
  expect(store.use('other', '1', 159, 219)).toBe(false);
  expect(store.use('k', '1', 160, 220)).toBe(false);
});
