import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { decodeBase64 } from '../../../../src/engine/secrets/transit/base64.ts';
import { formatBackup, parseBackup } from '../../../../src/engine/secrets/transit/backup.ts';
import { decrypt, encrypt } from '../../../../src/engine/secrets/transit/cipher.ts';
import { samePublicKey } from '../../../../src/engine/secrets/transit/key-format.ts';
import { newPolicy, rotated } from '../../../../src/engine/secrets/transit/policy.ts';
import { Refused } from '../../../../src/engine/secrets/transit/refused.ts';
import { KeyStore } from '../../../../src/engine/secrets/transit/store.ts';
import { oaepHash, unwrapKey } from '../../../../src/engine/secrets/transit/wrapping.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import { plainKeyRandom } from '../../../../src/lib/key-random.ts';
import { systemRandom } from '../../../../src/lib/random.ts';
import { granted, makeKey, memory, NOW } from './support.ts';

const create = (store: KeyStore, name: string, more: object = {}) =>
  store.change(name, () =>
    rotated(newPolicy({ name, type: 'aes256-gcm96', ...more }), plainKeyRandom(systemRandom), store.now()),
  );
const rotate = (store: KeyStore, name: string) =>
  store.change(name, (policy) =>
    policy === undefined ? new Refused('gone') : rotated(policy, plainKeyRandom(systemRandom), store.now()),
  );

describe('the key store', () => {
  test('reads storage once for a key that is used often', async () => {
    const storage = memory();
    await create(new KeyStore(storage, systemClock, systemRandom), 'k');
    const get = vi.spyOn(storage, 'get');
    const store = new KeyStore(storage, systemClock, systemRandom);
    for (let count = 0; count < 10; count += 1) await store.get('k');
    expect(get.mock.calls.filter(([key]) => key === 'policy/k')).toHaveLength(1);
  });

  test('moves versions below the minimum to the archive and back, and removes trimmed ones', async () => {
    const storage = memory();
    const store = new KeyStore(storage, systemClock, systemRandom);
    await create(store, 'k');
    const first = granted(encrypt(granted(await rotate(store, 'k')), Uint8Array.of(1), 1, {}, systemRandom));
    await rotate(store, 'k');
    const raise = (minDecryptionVersion: number, more: object = {}) =>
      store.change('k', (policy) =>
        policy === undefined ? new Refused('gone') : { ...policy, minDecryptionVersion, ...more },
      );
    expect([...granted(await raise(3)).versions.keys()]).toEqual([3]);
    expect(Object.keys(await store.archive('k'))).toEqual(['1', '2']);
    const again = new KeyStore(storage, systemClock, systemRandom);
    expect((await again.get('k'))?.versions.size).toBe(1);
    const back = granted(await raise(1));
    expect([...granted(decrypt(back, first.ciphertext, {}))]).toEqual([1]);
    expect(storage.map.has('archive/k')).toBe(false);
    await raise(3, { minEncryptionVersion: 3, minAvailableVersion: 2 });
    expect(Object.keys(await store.archive('k'))).toEqual(['2']);
  });

  test('rotates a key when its period is over, once', async () => {
    let now = Date.parse(NOW);
    const clock = { ...systemClock, now: () => now };
    const store = new KeyStore(memory(), clock, systemRandom);
    await create(store, 'k', { autoRotatePeriod: 3600 });
    now += 3_599_999;
    expect((await store.get('k'))?.latestVersion).toBe(1);
    now += 1;
    const seen = await Promise.all(Array.from({ length: 5 }, () => store.get('k')));
    expect(seen.map((policy) => policy?.latestVersion)).toEqual([2, 2, 2, 2, 2]);
  });

  test('does not change what an operation already holds', async () => {
    const store = new KeyStore(memory(), systemClock, systemRandom);
    const held = granted(await create(store, 'k'));
    await rotate(store, 'k');
    expect([...held.versions.keys()]).toEqual([1]);
    expect(held.latestVersion).toBe(1);
  });

  test('leaves a key as it was when a change is refused or fails', async () => {
    const storage = memory();
    const store = new KeyStore(storage, systemClock, systemRandom);
    await create(store, 'k');
    await store.change('k', () => new Refused('no'));
    storage.write = async () => Promise.reject(new Error('no space'));
    await expect(rotate(store, 'k')).rejects.toThrow('no space');
    expect((await store.get('k'))?.latestVersion).toBe(1);
  });

  test('holds no key material that prints', async () => {
    const storage = memory();
    const store = new KeyStore(storage, systemClock, systemRandom);
    for (const type of ['aes256-gcm96', 'ed25519', 'hmac'] as const)
      await create(store, type, { type, keySize: type === 'hmac' ? 32 : 0 });
    for (const [key, value] of storage.map) {
      const stored = JSON.parse(Buffer.from(value).toString());
      const policy = await store.get(key.slice('policy/'.length));
      const printed = inspect(policy, { depth: 9 }) + JSON.stringify([...(policy?.versions ?? [])]);
      expect(printed).not.toContain(stored.versions['1'].key);
      expect(printed).not.toContain(stored.versions['1'].hmac);
    }
  });
});

test('a backup is read back as it was written, and text that is no backup is refused', async () => {
  const policy = await makeKey({ type: 'ed25519', derived: true, exportable: true }, 2);
  const { policy: stored } = granted(parseBackup(formatBackup(policy, {})));
  expect(JSON.parse(JSON.stringify(stored))).toEqual(
    JSON.parse(Buffer.from(formatBackup(policy, {}), 'base64').toString()).policy,
  );
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String(), fc.json()), (text) => {
      expect(parseBackup(text)).toBeInstanceOf(Refused);
      expect(parseBackup(Buffer.from(text).toString('base64'))).toBeInstanceOf(Refused);
    }),
  );
});

test('keys of different types are compared without a trace in OpenSSL', async () => {
  const [left, right] = await Promise.all([makeKey({ type: 'ed25519' }), makeKey({ type: 'ecdsa-p256' })]);
  const [a, b] = [left.versions.get(1)?.publicKey, right.versions.get(1)?.publicKey];
  if (a === undefined || b === undefined) throw new Error('no public key');
  const der = granted(parseBackup(formatBackup(right, {}))).policy.versions['1']?.key ?? '';
  expect(samePublicKey(a, b)).toBe(false);
  // After KeyObject.equals this would fail with "different key types".
  const parsed = createPrivateKey({ key: Buffer.from(der, 'base64'), format: 'der', type: 'pkcs8' });
  expect(samePublicKey(createPublicKey(parsed), b)).toBe(true);
});

describe('wrapped keys', () => {
  const { wrapped } = JSON.parse(
    readFileSync(new URL('../../../vectors/transit.json', import.meta.url), 'utf8'),
  );
  const key = createPrivateKey({
    key: Buffer.from(wrapped.wrappingKey, 'base64'),
    format: 'der',
    type: 'pkcs8',
  });
  for (const each of wrapped.keys)
    test(`that were wrapped elsewhere with ${each.hash} are unwrapped, and changed ones are not`, () => {
      const bytes = Buffer.from(each.ciphertext, 'base64');
      const hash = granted(oaepHash(each.hash));
      expect(Buffer.from(granted(unwrapKey(key, bytes, hash))).toString('base64')).toBe(each.key);
      for (const at of [0, 511, 512, bytes.length - 1]) {
        const changed = Uint8Array.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ 1;
        expect(unwrapKey(key, changed, hash)).toBeInstanceOf(Refused);
      }
    });
});

test('base64 is decoded as clients know it, and errors name the offset', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(100), (bytes, place) => {
      const text = Buffer.from(bytes).toString('base64');
      const at = place % (text.length + 1);
      expect(decodeBase64(text)).toEqual(bytes);
      expect(decodeBase64(`${text.slice(0, at)}\r\n${text.slice(at)}`)).toEqual(bytes);
    }),
  );
  for (const [text, offset] of [
    ['not base64!', 3],
    ['!!', 0],
    ['A', 0],
    ['AA', 0],
    ['AAA', 0],
    ['AAAAA', 4],
    ['=', 0],
    ['A=', 1],
    ['AA=', 3],
    ['AA=A', 2],
    ['AA==A', 4],
    ['AAA=A', 4],
    ['AAé=', 2],
  ] as const)
    expect(decodeBase64(text), text).toEqual(new Refused(`illegal base64 data at input byte ${offset}`));
});
