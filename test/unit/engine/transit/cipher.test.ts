import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decrypt, encrypt } from '../../../../src/engine/secrets/transit/cipher.ts';
import type { KeyType } from '../../../../src/engine/secrets/transit/key-type.ts';
import { rotated } from '../../../../src/engine/secrets/transit/policy.ts';
import { Refused } from '../../../../src/engine/secrets/transit/refused.ts';
import { plainKeyRandom } from '../../../../src/lib/key-random.ts';
import { systemRandom } from '../../../../src/lib/random.ts';
import { fixedRandom, granted, keyOf, makeKey, NOW } from './support.ts';

interface Vector {
  readonly title: string;
  readonly type: KeyType;
  readonly mode: 'plain' | 'derived' | 'convergent';
  readonly key: string;
  readonly nonce: string;
  readonly plaintext: string;
  readonly context?: string;
  readonly associatedData?: string;
  readonly ciphertext: string;
}

const vectors = JSON.parse(readFileSync(new URL('../../../vectors/transit.json', import.meta.url), 'utf8'));
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));
const aead: KeyType[] = ['aes128-gcm96', 'aes256-gcm96', 'chacha20-poly1305', 'xchacha20-poly1305'];

describe('ciphertexts', () => {
  for (const vector of vectors.ciphertexts as Vector[])
    test(`have the published layout: ${vector.title}`, () => {
      const policy = keyOf(
        { type: vector.type, derived: vector.mode !== 'plain', convergent: vector.mode === 'convergent' },
        { key: vector.key, ...(vector.mode === 'convergent' ? { convergentVersion: 3 } : {}) },
      );
      const extras = {
        context: vector.context === undefined ? undefined : bytes(vector.context),
        associatedData: vector.associatedData === undefined ? undefined : bytes(vector.associatedData),
      };
      const random = fixedRandom(bytes(vector.nonce));
      expect(encrypt(policy, bytes(vector.plaintext), 0, extras, random)).toEqual({
        ciphertext: vector.ciphertext,
        keyVersion: 1,
      });
      expect(Buffer.from(granted(decrypt(policy, vector.ciphertext, extras))).toString('base64')).toBe(
        vector.plaintext,
      );
    });

  test('decrypt to what was encrypted, whatever type, context, data and version', async () => {
    const keys = await Promise.all([
      ...aead.map((type) => makeKey({ type }, 2)),
      ...aead.map((type) => makeKey({ type, derived: true }, 2)),
      ...aead.map((type) => makeKey({ type, derived: true, convergent: true }, 2)),
    ]);
    fc.assert(
      fc.property(
        fc.constantFrom(...keys),
        fc.uint8Array({ maxLength: 300 }),
        fc.uint8Array({ minLength: 1, maxLength: 1500 }),
        fc.option(fc.uint8Array({ minLength: 1, maxLength: 40 }), { nil: undefined }),
        fc.constantFrom(0, 1, 2),
        (policy, plaintext, context, associatedData, version) => {
          const extras = { context, associatedData };
          const made = granted(encrypt(policy, plaintext, version, extras, systemRandom));
          expect(made.keyVersion).toBe(version === 0 ? 2 : version);
          expect(made.ciphertext.startsWith(`vault:v${made.keyVersion}:`)).toBe(true);
          expect(Uint8Array.from(granted(decrypt(policy, made.ciphertext, extras)))).toEqual(plaintext);
        },
      ),
    );
  });

  test('are refused when any bit of them, of the context or of the data was flipped', async () => {
    for (const type of aead) {
      const policy = await makeKey({ type, derived: true });
      const extras = { context: bytes('Y29udGV4dA=='), associatedData: bytes('ZGF0YQ==') };
      const { ciphertext } = granted(encrypt(policy, bytes('aGVsbG8='), 0, extras, systemRandom));
      const payload = bytes(ciphertext.slice('vault:v1:'.length));
      const flipped = (whole: Uint8Array, bit: number) =>
        whole.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      const expectRefused = (text: string, more: Parameters<typeof decrypt>[2]) =>
        expect((decrypt(policy, text, more) as Refused).message).toMatch(/: message authentication failed$/);
      for (let bit = 0; bit < payload.length * 8; bit += 1)
        expectRefused(`vault:v1:${Buffer.from(flipped(payload, bit)).toString('base64')}`, extras);
      for (const member of ['context', 'associatedData'] as const)
        for (let bit = 0; bit < extras[member].length * 8; bit += 1)
          expectRefused(ciphertext, { ...extras, [member]: flipped(extras[member], bit) });
      for (let length = type.startsWith('x') ? 24 : 12; length < payload.length; length += 1)
        expectRefused(`vault:v1:${Buffer.from(payload.subarray(0, length)).toString('base64')}`, extras);
      expect(decrypt(policy, ciphertext, extras)).not.toBeInstanceOf(Refused);
    }
  });

  test('stay readable through rotations until min_decryption_version passes them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 6 }),
        async (versions, minimum) => {
          fc.pre(minimum <= versions);
          let policy = await makeKey({ type: 'aes256-gcm96' });
          const made: string[] = [];
          for (let version = 1; version <= versions; version += 1) {
            made.push(granted(encrypt(policy, Uint8Array.of(version), 0, {}, systemRandom)).ciphertext);
            policy = granted(await rotated(policy, plainKeyRandom(systemRandom), NOW));
          }
          policy = { ...policy, minDecryptionVersion: minimum };
          for (const [index, ciphertext] of made.entries()) {
            const result = decrypt(policy, ciphertext, {});
            if (index + 1 < minimum)
              expect((result as Refused).message).toBe(
                'ciphertext or signature version is disallowed by policy (too old)',
              );
            else expect([...(result as Uint8Array)]).toEqual([index + 1]);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  test('that no key could have made are refused in the words clients know', async () => {
    const policy = await makeKey({ type: 'aes256-gcm96' });
    for (const [text, message] of [
      ['', 'invalid ciphertext: no prefix'],
      ['vault:v1', 'invalid ciphertext: wrong number of fields'],
      ['vault:vx:AAAA', 'invalid ciphertext: version number could not be decoded'],
      ['vault:v2:AAAA', 'invalid ciphertext: version is too new'],
      ['vault:v-1:AAAA', 'ciphertext or signature version is disallowed by policy (too old)'],
      ['vault:v1:A', 'invalid ciphertext: could not decode base64'],
      ['vault:v1:AAAA', 'invalid ciphertext length'],
    ] as const)
      expect(decrypt(policy, text, {}), text).toEqual(new Refused(message));
  });

  test('of RSA keys hold what fits, and are refused when they were changed', async () => {
    const policy = await makeKey({ type: 'rsa-2048' });
    const { ciphertext } = granted(encrypt(policy, new Uint8Array(190).fill(7), 0, {}, systemRandom));
    expect(granted(decrypt(policy, ciphertext, {}))).toHaveLength(190);
    expect(encrypt(policy, new Uint8Array(191), 0, {}, systemRandom)).toBeInstanceOf(Refused);
    const payload = Buffer.from(ciphertext.slice('vault:v1:'.length), 'base64');
    payload[100] = (payload[100] ?? 0) ^ 1;
    expect(decrypt(policy, `vault:v1:${payload.toString('base64')}`, {})).toBeInstanceOf(Refused);
  });

  test('never meet a nonce twice', async () => {
    const policy = await makeKey({ type: 'aes256-gcm96' });
    const nonces = new Set<string>();
    for (let count = 0; count < 2000; count += 1) {
      const { ciphertext } = granted(encrypt(policy, new Uint8Array(3), 0, {}, systemRandom));
      nonces.add(ciphertext.slice('vault:v1:'.length, 'vault:v1:'.length + 16));
    }
    expect(nonces.size).toBe(2000);
  });
});
