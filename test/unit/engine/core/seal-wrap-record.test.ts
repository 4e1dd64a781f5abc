import { createHmac, createSecretKey, createDecipheriv } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { epochOf, isWrapped, unwrapValue, wrapValue } from '../../../../src/engine/core/seal-wrap-record.ts';

interface Vector {
  readonly name: string;
  readonly key: string;
  readonly epoch: number;
  readonly path: string;
  readonly salt: string;
  readonly plaintext: string;
  readonly record: string;
}

const vectors = JSON.parse(
  readFileSync(new URL('../../../vectors/seal-wrap-record.json', import.meta.url), 'utf8'),
) as Vector[];
const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');

test.each(vectors)('$name is written and read as it was', ({ key, epoch, path, salt, plaintext, record }) => {
  const secret = createSecretKey(bytes(key));
  expect(hex(wrapValue({ epoch, key: secret }, path, bytes(salt), bytes(plaintext)))).toBe(record);
  expect(isWrapped(bytes(record))).toBe(true);
  expect(epochOf(bytes(record))).toBe(epoch);
  expect(hex(unwrapValue(secret, path, bytes(record)))).toBe(plaintext);
});

test.each(vectors)('$name opens by RFC 5869 and AES-GCM alone', ({ key, path, plaintext, record }) => {
  const value = Buffer.from(record, 'hex');
  const prk = createHmac('sha256', value.subarray(8, 40)).update(bytes(key)).digest();
  const info = Buffer.from('sealedvault seal wrap');
  const first = createHmac('sha256', prk)
    .update(Buffer.concat([info, Buffer.of(1)]))
    .digest();
  const second = createHmac('sha256', prk)
    .update(Buffer.concat([first, info, Buffer.of(2)]))
    .digest();
  const decipher = createDecipheriv('aes-256-gcm', first, second.subarray(0, 12));
  decipher.setAAD(Buffer.from(path));
  decipher.setAuthTag(value.subarray(-16));
  const opened = Buffer.concat([decipher.update(value.subarray(40, -16)), decipher.final()]);
  expect(opened.toString('hex')).toBe(plaintext);
});

test('a changed byte anywhere, another path or another key is refused', () => {
  const key = createSecretKey(new Uint8Array(32).fill(1));
  const record = wrapValue({ epoch: 2, key }, 'p', new Uint8Array(32).fill(2), bytes('00ff'));
  for (let index = 8; index < record.length; index += 1) {
    const changed = Uint8Array.from(record);
    changed[index] = (changed[index] ?? 0) ^ 1;
    expect(() => unwrapValue(key, 'p', changed), String(index)).toThrow(/authenticate/);
  }
  expect(() => unwrapValue(key, 'q', record)).toThrow(/authenticate/);
  expect(() => unwrapValue(createSecretKey(new Uint8Array(32)), 'p', record)).toThrow(/authenticate/);
});

test('what is not wrapped is told apart', () => {
  for (const plain of [new Uint8Array(), bytes('7b7d'), new Uint8Array(100), bytes('00535701')])
    expect(isWrapped(plain)).toBe(false);
});
