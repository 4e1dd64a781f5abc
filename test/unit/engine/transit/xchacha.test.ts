import { createCipheriv, createSecretKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { narrowed } from '../../../../src/engine/secrets/transit/xchacha.ts';

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

// draft-irtf-cfrg-xchacha-03 §2.2.1
test('HChaCha20 has the published value', () => {
  const key = hex('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
  const nonce = hex('000000090000004a00000000314159270000000000000000');
  const expected = '82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc';
  expect(Buffer.from(narrowed(key, nonce).key).toString('hex')).toBe(expected);
  expect(Buffer.from(narrowed(createSecretKey(key), nonce).key).toString('hex')).toBe(expected);
});

// draft-irtf-cfrg-xchacha-03 appendix A.3.1
test('XChaCha20-Poly1305 has the published value', () => {
  const key = hex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f');
  const { key: own, nonce } = narrowed(key, hex('404142434445464748494a4b4c4d4e4f5051525354555657'));
  const cipher = createCipheriv('chacha20-poly1305', own, nonce, { authTagLength: 16 });
  cipher.setAAD(hex('50515253c0c1c2c3c4c5c6c7'), { plaintextLength: 114 });
  const text =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
  const sealed = Buffer.concat([cipher.update(text), cipher.final()]);
  expect(sealed.toString('hex')).toBe(
    'bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e',
  );
  expect(cipher.getAuthTag().toString('hex')).toBe('c0875924c1c7987947deafd8780acf49');
});
