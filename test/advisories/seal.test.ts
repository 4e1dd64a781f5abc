import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Seal } from '../../src/engine/seal/seal.ts';
import { importKey } from '../seal/import-key.ts';
import { configOf, makeSeal, makeToken, SIGNAL, type TestToken } from '../seal/support.ts';
import { vaultBlob } from '../seal/vault-blob.ts';

const aes = randomBytes(32);
const hmac = randomBytes(32);
let token: TestToken;
let seal: Seal;
beforeAll(async () => {
  token = makeToken('canary-pin');
  importKey(token, { value: aes, type: 'aes', label: 'vault', id: '61' });
  importKey(token, { value: hmac, type: 'generic', label: 'vault-hmac', id: '62' });
  seal = makeSeal(
    configOf(token, {
      mechanism: '0x1085',
      key_label: 'vault',
      hmac_key_label: 'vault-hmac',
      generate_key: 'false',
    }),
  );
  await seal.open({ signal: SIGNAL, allowGenerateKey: false });
});
afterAll(async () => {
  await seal?.close();
  token?.[Symbol.dispose]();
});

test('CVE-2023-2197: a value that Vault sealed by CBC is authenticated before it is decrypted: its padding tells nothing', async () => {
  const context = { clusterId: 'c', purpose: 'root-key' } as const;
  const plaintext = Buffer.from(JSON.stringify([randomBytes(32).toString('base64')]));
  const whole = vaultBlob({ aes, hmac, plaintext });
  using opened = await seal.unwrap(whole, context, { signal: SIGNAL });
  expect(opened.length).toBe(32);
  const told = new Set<string>();
  for (let at = 0; at < whole.length; at += 3) {
    const changed = Uint8Array.from(whole);
    changed[at] = (changed[at] ?? 0) ^ 1;
    const error: any = await seal.unwrap(changed, context, { signal: SIGNAL }).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    // A name of a key may be changed into one that is not there; whatever is encrypted answers in one way.
    if (error !== undefined) told.add(String(error.message).replaceAll(/"[^"]*"/g, '""'));
  }
  expect(
    [...told].filter((text) => /pad|decrypt(?:ed)? (?:invalid|wrong)|CKR_ENCRYPTED_DATA/i.test(text)),
  ).toEqual([]);
  // Of another key for authentication: not even the right padding helps.
  await expect(
    seal.unwrap(vaultBlob({ aes, hmac: randomBytes(32), plaintext }), context, { signal: SIGNAL }),
  ).rejects.toMatchObject({ code: 'ERR_SEAL_BLOB' });
});
