import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Barrier, KEYRING_PATH } from '../../../../src/engine/barrier/barrier.ts';
import { aesKey, Keyring } from '../../../../src/engine/barrier/keyring.ts';
import { openRecord, recordTerm, sealRecord } from '../../../../src/engine/barrier/record.ts';
import { createInmem } from '../../../../src/engine/physical/inmem.ts';
import { fromHex, toHex, utf8 } from '../../../../src/lib/bytes.ts';
import { systemRandom } from '../../../../src/lib/random.ts';
import { Secret } from '../../../../src/lib/secret.ts';

interface RecordVector {
  readonly name: string;
  readonly key: string;
  readonly term: number;
  readonly path: string;
  readonly nonce: string;
  readonly plaintext: string;
  readonly record: string;
  readonly expect?: string;
}

const vectors = JSON.parse(
  readFileSync(new URL('../../../vectors/barrier-record.json', import.meta.url), 'utf8'),
) as RecordVector[];
const bytes = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array();
const now = new Date('2026-01-01T00:00:00Z');

async function make() {
  const physical = createInmem();
  const rootKey = Secret.own(systemRandom.bytes(32));
  return { physical, rootKey, barrier: await Barrier.initialize(physical, rootKey, systemRandom, now) };
}

describe('barrier › record', () => {
  for (const vector of vectors) {
    test(`vector: ${vector.name}`, () => {
      const key = aesKey(Secret.own(bytes(vector.key)));
      if (vector.expect === undefined) {
        expect(
          toHex(sealRecord(key, vector.term, vector.path, bytes(vector.plaintext), bytes(vector.nonce))),
        ).toBe(vector.record);
        expect(recordTerm(bytes(vector.record))).toBe(vector.term);
      }
      const open = () => toHex(openRecord(key, vector.path, bytes(vector.record)));
      if (vector.expect === undefined || vector.expect === 'opens') expect(open()).toBe(vector.plaintext);
      else expect(open).toThrow(expect.objectContaining({ code: vector.expect }));
    });
  }

  test('every record opens at its path, and with any one bit changed it does not', () => {
    const key = aesKey(Secret.own(systemRandom.bytes(32)));
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 64 }),
        fc.string({ minLength: 1 }),
        fc.nat(),
        (plaintext, path, bit) => {
          const record = sealRecord(key, 7, path, plaintext);
          expect(Uint8Array.from(openRecord(key, path, record))).toEqual(Uint8Array.from(plaintext));
          const position = 32 + (bit % (record.length * 8 - 32));
          const changed = Uint8Array.from(record);
          changed[position >> 3] = (changed[position >> 3] ?? 0) ^ (1 << (position & 7));
          expect(() => openRecord(key, path, changed)).toThrow(
            expect.objectContaining({ code: 'ERR_BARRIER_CORRUPT' }),
          );
        },
      ),
    );
  });
});

describe('barrier', () => {
  test('what was put is read back after a restart with the root key', async () => {
    const { physical, rootKey, barrier } = await make();
    await barrier.put('a/b', utf8('value'));
    const again = await Barrier.unseal(physical, rootKey);
    expect(Uint8Array.from((await again.get('a/b')) ?? [])).toEqual(utf8('value'));
  });

  test('another root key does not open it', async () => {
    const { physical } = await make();
    await expect(Barrier.unseal(physical, Secret.own(systemRandom.bytes(32)))).rejects.toMatchObject({
      code: 'ERR_BARRIER_CORRUPT',
    });
    await expect(Barrier.unseal(createInmem(), Secret.own(systemRandom.bytes(32)))).rejects.toMatchObject({
      code: 'ERR_BARRIER_NOT_INITIALIZED',
    });
  });

  test('a record moved to another path does not open', async () => {
    const { physical, barrier } = await make();
    await barrier.put('mine', utf8('value'));
    await physical.write([
      { type: 'put', key: 'yours', value: (await physical.get('mine')) ?? new Uint8Array() },
    ]);
    await expect(barrier.get('yours')).rejects.toMatchObject({ code: 'ERR_BARRIER_CORRUPT' });
  });

  test('after seal an old reference refuses everything', async () => {
    const { barrier } = await make();
    barrier.seal();
    for (const act of [
      () => barrier.get('a'),
      () => barrier.put('a', utf8('b')),
      () => barrier.list(''),
      () => barrier.rotate(systemRandom, now),
    ]) {
      await expect(act()).rejects.toMatchObject({ code: 'ERR_BARRIER_SEALED' });
    }
  });

  test('rotation writes with the next term and still reads the old ones', async () => {
    const { physical, rootKey, barrier } = await make();
    await barrier.put('old', utf8('1'));
    expect((await barrier.rotate(systemRandom, now)).term).toBe(2);
    await barrier.put('new', utf8('2'));
    expect(recordTerm((await physical.get('new')) ?? new Uint8Array())).toBe(2);
    const again = await Barrier.unseal(physical, rootKey);
    expect(Uint8Array.from((await again.get('old')) ?? [])).toEqual(utf8('1'));
    expect(Uint8Array.from((await again.get('new')) ?? [])).toEqual(utf8('2'));
    expect(again.keyStatus()).toMatchObject({ term: 2 });
  });

  test('nothing at rest holds a key or a value in the clear', async () => {
    const { physical, rootKey, barrier } = await make();
    await barrier.put('secret', utf8('canary-value'));
    const everything = physical
      .dump()
      .map((operation) => (operation.type === 'put' ? Buffer.from(operation.value).toString('latin1') : ''));
    rootKey.borrow((key) => {
      for (const value of everything) {
        expect(value).not.toContain('canary-value');
        expect(value).not.toContain(Buffer.from(key).toString('latin1'));
        expect(value).not.toContain(Buffer.from(key).toString('base64'));
      }
    });
    expect(await physical.get(KEYRING_PATH)).toBeDefined();
  });

  test('a keyring survives serialization, and what is no keyring is refused without quoting it', () => {
    const keyring = new Keyring(aesKey(Secret.own(systemRandom.bytes(32))), [
      {
        term: 1,
        key: aesKey(Secret.own(systemRandom.bytes(32))),
        installTime: now.toISOString(),
        encryptions: 5,
      },
    ]);
    const again = Keyring.deserialize(keyring.serialize());
    expect(again.active.encryptions).toBe(5);
    expect(again.rootKey.equals(keyring.rootKey)).toBe(true);
    for (const text of [
      '',
      '{',
      '{"MasterKey":"canary","Keys":[]}',
      '[]',
      '{"MasterKey":1,"Keys":[{"Term":1}]}',
    ]) {
      expect(() => Keyring.deserialize(Secret.fromText(text))).toThrow(
        expect.objectContaining({
          code: 'ERR_BARRIER_CORRUPT',
          message: expect.not.stringContaining('canary') as string,
        }),
      );
    }
  });
});
