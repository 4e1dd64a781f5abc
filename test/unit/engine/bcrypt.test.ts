import { expect, test } from 'vitest';
import { isBcryptOf, parseBcrypt } from '../../../src/lib/bcrypt/bcrypt.ts';

/** Made by libxcrypt. */
const known: [string, string][] = [
  ['canary-hash', '$2b$06$abcdefghijklmnopqrstuuYfEyNYscWJIfwN7RWcMTFiM8QUnGZcO'],
  ['', '$2b$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq'],
  ['pässwörd'.repeat(20), '$2b$05$......................XRIAF.OfXbsBdj.hxRWh99JbuzuxCyO'],
];

test.each(known)('%j has its hash, and nothing else has', async (password, text) => {
  const hash = parseBcrypt(text);
  if (hash === undefined) throw new Error('not read');
  expect(await isBcryptOf(password, hash)).toBe(true);
  expect(await isBcryptOf(`x${password}`, hash)).toBe(false);
});

test.each([
  '',
  'plain',
  '$1$abc$def',
  '$2b$03$abcdefghijklmnopqrstuuYfEyNYscWJIfwN7RWcMTFiM8QUnGZcO',
  '$2b$32$abcdefghijklmnopqrstuuYfEyNYscWJIfwN7RWcMTFiM8QUnGZcO',
  '$2b$06$abcdefghijklmnopqrstuuYfEyNYscWJIfwN7RWcMTFiM8QUnGZc',
])('%j is no hash', (text) => {
  expect(parseBcrypt(text)).toBeUndefined();
});
