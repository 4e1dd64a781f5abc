import { constants, createDecipheriv, createHash, createHmac, privateDecrypt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contextBytes, decodeBlob, encodeBlob } from '../../../src/engine/seal/pkcs11/blob.ts';
import { FrameReader, frame } from '../../../src/engine/seal/pkcs11/frames.ts';
import { decodeMessage, encodeMessage } from '../../../src/engine/seal/pkcs11/message.ts';
import type { Sealed } from '../../../src/engine/seal/pkcs11/protocol.ts';
import { unpackVaultKey } from '../../../src/engine/seal/pkcs11/vault-blob.ts';
import type { SealContext } from '../../../src/engine/seal/seal.ts';
import { fromHex, text, toHex, utf8, view } from '../../../src/lib/bytes.ts';

interface Vector {
  name: string;
  key: string;
  context: SealContext;
  plaintext: string;
  blob: string;
  expect: 'opens' | 'ERR_SEAL_BLOB';
}
const vectors: Vector[] = JSON.parse(
  readFileSync(new URL('../../vectors/seal-blob.json', import.meta.url), 'utf8'),
);

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../vectors/${name}`, import.meta.url), 'utf8'));
const rsa: { private_key: string; vectors: Omit<Vector, 'key' | 'expect'>[] } = read('seal-blob-rsa.json');
const vaultCbc: { name: string; key: string; hmac_key: string; plaintext: string; blob: string }[] =
  read('seal-blob-vault-cbc.json');

function openBySoftware({ key, context, blob }: Vector): string {
  const sealed = decodeBlob(utf8(blob));
  const decipher = createDecipheriv('aes-256-gcm', fromHex(key) ?? '', sealed.iv);
  decipher.setAAD(contextBytes(context)).setAuthTag(sealed.ciphertext.subarray(-16));
  return Buffer.concat([decipher.update(sealed.ciphertext.subarray(0, -16)), decipher.final()]).toString(
    'hex',
  );
}

describe('a sealed value', () => {
  test.each(vectors.filter((v) => v.expect === 'opens'))('vector: $name', (vector) => {
    expect(openBySoftware(vector)).toBe(vector.plaintext);
    expect(text(encodeBlob(decodeBlob(utf8(vector.blob))))).toBe(vector.blob);
  });

  test.each(vectors.filter((v) => v.expect !== 'opens'))('vector: $name is refused', ({ blob }) => {
    expect(() => decodeBlob(utf8(blob))).toThrow(expect.objectContaining({ code: 'ERR_SEAL_BLOB' }));
  });

  test.each(rsa.vectors)('vector: $name', ({ blob, context, plaintext }) => {
    const sealed = decodeBlob(utf8(blob));
    const opened = privateDecrypt(
      {
        key: rsa.private_key,
        padding: constants.RSA_PKCS1_OAEP_PADDING,
        oaepHash: sealed.oaepHash ?? '',
      },
      sealed.ciphertext,
    );
    const head = createHash('sha256').update(contextBytes(context)).digest('hex');
    expect(opened.toString('hex')).toBe(head + plaintext);
    expect(text(encodeBlob(sealed))).toBe(blob);
  });

  test.each(vaultCbc)('of Vault Enterprise, vector: $name', ({ key, hmac_key, plaintext, blob }) => {
    const sealed = decodeBlob(fromHex(blob) ?? new Uint8Array());
    const hmac = createHmac('sha256', fromHex(hmac_key) ?? '')
      .update(sealed.iv)
      .update(sealed.ciphertext);
    expect(toHex(sealed.hmac?.value ?? new Uint8Array())).toBe(hmac.digest('hex'));
    const decipher = createDecipheriv('aes-256-cbc', fromHex(key) ?? '', sealed.iv);
    expect(Buffer.concat([decipher.update(sealed.ciphertext), decipher.final()]).toString('hex')).toBe(
      plaintext,
    );
  });

  test.each(vaultCbc)('of Vault Enterprise, cut short anywhere, is refused: $name', ({ blob }) => {
    const whole = fromHex(blob) ?? new Uint8Array();
    for (let length = 0; length < whole.length; length += 1)
      expect(() => decodeBlob(whole.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'ERR_SEAL_BLOB' }),
      );
  });

  test('of a key that Vault wraps is the list it makes, and nothing like it is', () => {
    const unpacked = (list: string): string => text(unpackVaultKey(utf8(list)));
    expect(unpacked('["cm9vdA=="]')).toBe('root');
    for (const other of ['["cm9vdA=="', '["a"]', '["cm9v","dA=="]', 'root'])
      expect(unpacked(other)).toBe(other);
  });

  test('comes back from its encoding, whatever the names', () => {
    const bytes = fc.uint8Array({ maxLength: 64 });
    const hex = bytes.map(toHex);
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        hex,
        hex,
        bytes,
        bytes,
        (keyLabel, keyId, checkValue, iv, ciphertext) => {
          const sealed: Sealed = { mechanism: 'CKM_AES_GCM', keyLabel, keyId, checkValue, iv, ciphertext };
          expect(decodeBlob(encodeBlob(sealed))).toEqual(sealed);
          const rsa: Sealed = { ...sealed, mechanism: 'CKM_RSA_PKCS_OAEP', oaepHash: 'sha256' };
          expect(decodeBlob(encodeBlob(rsa))).toEqual(rsa);
        },
      ),
    );
  });

  test('of random bytes is refused, and nothing else happens', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(() => decodeBlob(bytes)).toThrow(expect.objectContaining({ code: 'ERR_SEAL_BLOB' }));
      }),
    );
  });

  test('is bound to contexts that differ in any field', () => {
    const a = contextBytes({ clusterId: 'x","root-key', purpose: 'root-key' });
    const b = contextBytes({ clusterId: 'x', purpose: 'root-key' });
    expect(toHex(a)).not.toBe(toHex(b));
  });
});

describe('a message', () => {
  test('comes back from its encoding with its parts', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.uint8Array(), fc.uint8Array(), (value, a, b) => {
        const { head, parts } = decodeMessage(encodeMessage({ id: 1, value }, { a, b }));
        expect(head).toMatchObject({ id: 1 });
        expect(JSON.stringify(head['value'])).toBe(JSON.stringify(value));
        expect([...parts]).toEqual([
          ['a', a],
          ['b', b],
        ]);
      }),
    );
  });

  test('of random bytes is refused with a coded error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, plausible) => {
        if (plausible && bytes.length > 4) view(bytes).writeUInt32BE(bytes.length - 4, 0);
        try {
          decodeMessage(bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_HSM_AGENT_UNAVAILABLE' });
        }
      }),
    );
  });

  test('is cut out of a stream however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
        (messages, sizes) => {
          const stream = Buffer.concat(messages.map(frame));
          const reader = new FrameReader();
          const out: Uint8Array[] = [];
          for (let offset = 0; offset < stream.length; ) {
            const size = sizes.next().value ?? 1;
            out.push(...reader.push(Uint8Array.from(stream.subarray(offset, offset + size))));
            offset += size;
          }
          expect(out.map(toHex)).toEqual(messages.map(toHex));
          expect(reader.partial).toBe(false);
        },
      ),
    );
  });
});
