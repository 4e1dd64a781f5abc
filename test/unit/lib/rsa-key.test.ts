import { scrypt, scryptSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { generateRsaKey } from '../../../src/lib/rsa-key.ts';

test('keys are made, a few at a time: a password is derived before the last of many keys', async () => {
  const order: string[] = [];
  const keys = Array.from({ length: 12 }, async () => {
    const { privateKey } = await generateRsaKey(3072);
    order.push('key');
    return privateKey.asymmetricKeyDetails?.modulusLength;
  });
  const derived = new Promise<Buffer>((resolve, reject) => {
    scrypt('password', 'salt', 32, (error, key) => {
      order.push('password');
      if (error === null) resolve(key);
      else reject(error);
    });
  });
  expect(await Promise.all(keys)).toEqual(Array.from({ length: 12 }, () => 3072));
  expect(await derived).toEqual(scryptSync('password', 'salt', 32));
  expect(order.indexOf('password')).toBeLessThan(order.lastIndexOf('key'));
  await expect(generateRsaKey(-1)).rejects.toThrow();
  await expect(generateRsaKey(512)).resolves.toHaveProperty('privateKey');
});
