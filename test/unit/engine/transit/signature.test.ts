import fc from 'fast-check';
import { createHash, sign as nodeSign, verify as nodeVerify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { signDigest, verifyDigest } from '../../../../src/engine/secrets/transit/ecdsa-digest.ts';
import { ecdsaDer } from '../../../../src/lib/ecdsa-der.ts';
import { coordinateBytes, fromDer } from '../../../../src/engine/secrets/transit/ecdsa-form.ts';
import { hashFunction } from '../../../../src/engine/secrets/transit/hash.ts';
import { makeHmac, verifyHmac } from '../../../../src/engine/secrets/transit/hmac.ts';
import type { KeyType } from '../../../../src/engine/secrets/transit/key-type.ts';
import { Refused } from '../../../../src/engine/secrets/transit/refused.ts';
import { type SignatureOptions, sign, verify } from '../../../../src/engine/secrets/transit/signature.ts';
import { systemRandom } from '../../../../src/lib/random.ts';
import { granted, keyOf, makeKey } from './support.ts';

const vectors = JSON.parse(readFileSync(new URL('../../../vectors/transit.json', import.meta.url), 'utf8'));
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));
const defaults: SignatureOptions = {
  hash: hashFunction('sha2-256'),
  prehashed: false,
  scheme: 'pss',
  marshaling: 'asn1',
  salt: 'auto',
};
const types: KeyType[] = ['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'ed25519', 'rsa-2048'];

describe('signatures', () => {
  test('verify, and do not when input or signature was changed', async () => {
    const keys = new Map(
      await Promise.all(types.map(async (type) => [type, await makeKey({ type })] as const)),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...types),
        fc.uint8Array({ maxLength: 100 }),
        fc.constantFrom('sha1', 'sha2-224', 'sha2-256', 'sha2-384', 'sha2-512', 'sha3-256', 'sha3-512'),
        fc.constantFrom('asn1', 'jws'),
        fc.constantFrom('pss', 'pkcs1v15'),
        fc.constantFrom<SignatureOptions['salt']>('auto', 'hash', 20),
        fc.nat(),
        async (type, input, hashName, marshaling, scheme, salt, place) => {
          const policy = keys.get(type) ?? (await makeKey({ type }));
          const hash = hashFunction(hashName);
          const options = { hash, prehashed: false, marshaling, scheme, salt } as SignatureOptions;
          const { signature } = granted(await sign(policy, input, 0, undefined, options, systemRandom));
          expect(await verify(policy, input, signature, undefined, options)).toBe(true);
          expect(await verify(policy, Uint8Array.of(...input, 0), signature, undefined, options)).toBe(false);
          const payload = Buffer.from(signature.slice('vault:v1:'.length), 'base64');
          const at = place % payload.length;
          payload[at] = (payload[at] ?? 0) ^ (1 << (place % 8));
          const changed = `vault:v1:${payload.toString(marshaling === 'jws' ? 'base64url' : 'base64')}`;
          expect(await verify(policy, input, changed, undefined, options)).not.toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  for (const [index, vector] of vectors.digests.entries())
    test(`over a digest that were made elsewhere verify: ${vector.type} ${vector.scheme} ${vector.hash} ${index}`, async () => {
      const policy = keyOf({ type: vector.type }, { publicKey: vector.publicKey });
      const hash = hashFunction(vector.hash);
      const options = { ...defaults, hash, prehashed: true, scheme: vector.scheme };
      const digest = bytes(vector.digest);
      expect(await verify(policy, digest, vector.signature, undefined, options)).toBe(true);
      digest[0] = (digest[0] ?? 0) ^ 1;
      expect(await verify(policy, digest, vector.signature, undefined, options)).toBe(false);
      // The same signature, of the message.
      const message = Buffer.from('hello');
      const whole = { ...options, prehashed: false };
      expect(await verify(policy, message, vector.signature, undefined, whole)).toBe(true);
    });

  test('of a derived Ed25519 key are those of the key that HKDF yields', async () => {
    const { key, publicKey, context, derivedPublicKey, input, signature } = vectors.derivedEd25519;
    const policy = keyOf({ type: 'ed25519', derived: true }, { key, publicKey });
    expect(await sign(policy, bytes(input), 0, bytes(context), defaults, systemRandom)).toEqual({
      signature,
      keyVersion: 1,
      publicKey: derivedPublicKey,
    });
    expect(await verify(policy, bytes(input), signature, bytes(context), defaults)).toBe(true);
    expect(await verify(policy, bytes(input), signature, bytes('YQ=='), defaults)).toBe(false);
    expect(await verify(policy, bytes(input), signature, undefined, defaults)).toBeInstanceOf(Refused);
  });
});

describe('ECDSA over a digest', () => {
  for (const [name, type] of [
    ['P-256', 'ecdsa-p256'],
    ['P-384', 'ecdsa-p384'],
    ['P-521', 'ecdsa-p521'],
  ] as const)
    test(`agrees with OpenSSL on ${name}, in both directions`, async () => {
      const version = (await makeKey({ type })).versions.get(1);
      const { privateKey, publicKey } = version ?? {};
      if (privateKey === undefined || publicKey === undefined) throw new Error('no key pair');
      const n = { 'P-256': p256, 'P-384': p384, 'P-521': p521 }[name].Point.Fn.ORDER;
      const length = coordinateBytes[name];
      for (const hash of ['sha256', 'sha384', 'sha512'])
        for (let count = 0; count < 8; count += 1) {
          const message = systemRandom.bytes(count);
          const digest = createHash(hash).update(message).digest();
          const pair = signDigest(name, privateKey, digest);
          expect(nodeVerify(hash, message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, pair)).toBe(true);
          expect(nodeVerify(hash, message, publicKey, ecdsaDer(pair))).toBe(true);
          const theirs = nodeSign(hash, message, { key: privateKey, dsaEncoding: 'ieee-p1363' });
          expect(verifyDigest(name, publicKey, digest, theirs)).toBe(true);
          theirs[theirs.length - 1] = (theirs.at(-1) ?? 0) ^ 1;
          expect(verifyDigest(name, publicKey, digest, theirs)).toBe(false);
        }
      // r and s must lie between 1 and the order.
      const digest = new Uint8Array(32);
      const number = (value: bigint) => Buffer.from(value.toString(16).padStart(2 * length, '0'), 'hex');
      for (const [r, s] of [
        [0n, 1n],
        [1n, 0n],
        [n, 1n],
        [1n, n],
        [0n, 0n],
      ] as const)
        expect(verifyDigest(name, publicKey, digest, Buffer.concat([number(r), number(s)]))).toBe(false);
    });

  test('has one DER form for a signature', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(32, 48, 66),
        fc.uint8Array({ minLength: 132, maxLength: 132 }),
        fc.nat(4),
        (length, random, zeros) => {
          const pair = random.subarray(0, 2 * length).map((byte, index) => (index < zeros ? 0 : byte));
          const der = ecdsaDer(pair);
          expect(fromDer(der, length)).toEqual(pair);
          expect(fromDer(Uint8Array.of(...der, 0), length)).toBeUndefined();
          expect(fromDer(der.subarray(0, -1), length)).toBeUndefined();
        },
      ),
    );
    for (const wrong of [
      [],
      [0x30],
      [0x30, 0],
      [0x30, 6, 2, 1, 0x80, 2, 1, 1],
      [0x30, 7, 2, 2, 0, 1, 2, 1, 1],
    ])
      expect(fromDer(Uint8Array.from(wrong), 32)).toBeUndefined();
  });
});

test('an HMAC is of its input, version and hash function, and of no other', async () => {
  const policy = await makeKey({ type: 'hmac' }, 2);
  const hash = hashFunction('sha2-256');
  const other = hashFunction('sha3-256');
  if (hash === undefined || other === undefined) throw new Error('no hash function');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(1, 2), (input, version) => {
      const made = granted(makeHmac(policy, input, version, hash));
      expect(verifyHmac(policy, input, made, hash)).toBe(true);
      expect(verifyHmac(policy, Uint8Array.of(...input, 1), made, hash)).toBe(false);
      expect(verifyHmac(policy, input, made.replace(`:v${version}:`, `:v${3 - version}:`), hash)).toBe(false);
      expect(verifyHmac(policy, input, made, other)).toBe(false);
    }),
  );
});
