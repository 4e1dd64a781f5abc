import { createHmac, createPublicKey, sign, verify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { traitsOf } from '../../../../src/engine/secrets/transit/key-type.ts';
import { keyPairFrom } from '../../../../src/engine/secrets/transit/key-from-random.ts';
import { type KeyRandom, plainKeyRandom } from '../../../../src/lib/key-random.ts';
import { systemRandom } from '../../../../src/lib/random.ts';

/** The same bytes for the same seed. */
function seeded(seed: string): KeyRandom {
  let count = 0;
  const bytes = (length: number): Uint8Array => {
    const out = new Uint8Array(length);
    for (let offset = 0; offset < length; offset += 64) {
      count += 1;
      const block = createHmac('sha512', seed).update(String(count)).digest();
      out.set(block.subarray(0, Math.min(64, length - offset)), offset);
    }
    return out;
  };
  return plainKeyRandom({ ...systemRandom, bytes });
}

type Pair = 'ecdsa-p256' | 'ecdsa-p384' | 'ecdsa-p521' | 'ed25519' | 'rsa-2048' | 'rsa-3072' | 'rsa-4096';
const make = (type: Pair, random: KeyRandom) => {
  const traits = traitsOf(type);
  if (traits.family === 'aead' || traits.family === 'hmac' || traits.family === 'managed')
    throw new Error('no pair');
  return keyPairFrom(traits, random);
};

describe('key pairs out of given randomness', () => {
  test.each<Pair>(['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'ed25519', 'rsa-2048', 'rsa-3072', 'rsa-4096'])(
    'an %s key signs, and is all of its randomness and nothing else',
    async (type) => {
      const key = await make(type, seeded('one'));
      const message = Buffer.from('message');
      const digest = type === 'ed25519' ? null : 'sha256';
      expect(verify(digest, message, createPublicKey(key), sign(digest, message, key))).toBe(true);
      const bits = /rsa-(\d+)/.exec(type)?.[1];
      if (bits !== undefined)
        expect(key.asymmetricKeyDetails).toMatchObject({
          modulusLength: Number(bits),
          publicExponent: 65_537n,
        });
      expect((await make(type, seeded('one'))).equals(key)).toBe(true);
      expect((await make(type, seeded('two'))).equals(key)).toBe(false);
    },
  );
});
