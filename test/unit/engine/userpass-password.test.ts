import { expect, test } from 'vitest';
import { givenHash, hashPassword, isPassword } from '../../../src/engine/auth/userpass/password.ts';
import { systemRandom } from '../../../src/lib/random.ts';

/** Made by libxcrypt. */
const known: [string, string][] = [
  ['canary-hash', '$2b$06$abcdefghijklmnopqrstuuYfEyNYscWJIfwN7RWcMTFiM8QUnGZcO'],
  ['', '$2b$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq'],
  ['pässwörd'.repeat(20), '$2b$05$......................XRIAF.OfXbsBdj.hxRWh99JbuzuxCyO'],
];

test.each(known)('%j has its bcrypt hash, and nothing else has', async (password, text) => {
  const stored = givenHash(text);
  if (typeof stored === 'string') throw new Error(stored);
  expect(await isPassword(password, stored)).toBe(true);
  expect(await isPassword(`x${password}`, stored)).toBe(false);
});

test.each([
  '',
  'plain',
  '$1$abc$def',
  '$2b$03$abcdefghijklmnopqrstuuYfEyNYscWJIfwN7RWcMTFiM8QUnGZcO',
  '$2b$32$abcdefghijklmnopqrstuuYfEyNYscWJIfwN7RWcMTFiM8QUnGZcO',
  '$2b$15$abcdefghijklmnopqrstuuYfEyNYscWJIfwN7RWcMTFiM8QUnGZcO',
  '$2b$06$abcdefghijklmnopqrstuuYfEyNYscWJIfwN7RWcMTFiM8QUnGZc',
])('%j is refused', (text) => {
  expect(givenHash(text)).toEqual(expect.any(String));
});

test('a password is stored as a hash that only it fits', async () => {
  const stored = await hashPassword('canary-password', systemRandom);
  expect(JSON.stringify(stored)).not.toContain('canary-password');
  expect(await isPassword('canary-password', stored)).toBe(true);
  expect(await isPassword('other', stored)).toBe(false);
  expect(await isPassword('canary-password', undefined)).toBe(false);
});
