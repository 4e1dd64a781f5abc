import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSealConfig, readStoredKey, storedKeyPut } from '../../src/engine/core/seal-store.ts';
import { openLmdb } from '../../src/engine/physical/lmdb.ts';
import { importKey } from '../seal/import-key.ts';
import { configOf, makeSeal, SIGNAL, SOFTHSM } from '../seal/support.ts';
import { vaultBlob } from '../seal/vault-blob.ts';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
const aes = randomBytes(32);
const hmac = randomBytes(32);

beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/mounts/kv', { type: 'kv' });
  await engine.call('PUT', 'kv/a', { b: 'c' });
  importKey(engine.token, { value: aes, type: 'aes', label: 'vault', id: '61' });
  importKey(engine.token, { value: hmac, type: 'generic', label: 'vault-hmac', id: '62' });
});
afterAll(async () => {
  for (const canary of [engine.token.pin, engine.root, aes.toString('base64'), aes.toString('hex')])
    expect(engine.logLines.join('')).not.toContain(canary);
  await engine.stop();
});

/** Seals the stored root key as Vault Enterprise would, while the engine is down. */
async function sealAsVault(): Promise<void> {
  const physical = await openLmdb({ path: join(engine.dir, 'data') });
  await using seal = makeSeal(configOf(engine.token));
  const clusterId = (await readSealConfig(physical))?.clusterId ?? '';
  const blob = (await readStoredKey(physical)) ?? new Uint8Array();
  using rootKey = await seal.unwrap(blob, { clusterId, purpose: 'root-key' }, { signal: SIGNAL });
  const list = rootKey.borrow((bytes) => JSON.stringify([Buffer.from(bytes).toString('base64')]));
  await physical.write([storedKeyPut(vaultBlob({ aes, hmac, plaintext: Buffer.from(list) }))]);
  await physical.close();
}

const status = async (): Promise<any> =>
  (await engine.call('GET', 'sys/seal-backend-status', undefined, '')).body;

test('a root key that CKM_AES_CBC_PAD sealed opens the vault, and AES-GCM seals it from then on', async () => {
  const seal = { lib: SOFTHSM, token_label: engine.token.label, key_label: 'vault' };
  await engine.halt();
  await sealAsVault();
  const legacy = { ...seal, mechanism: '0x1085', hmac_key_label: 'vault-hmac' };
  await engine.reconfigure({ seal: { pkcs11: legacy } });
  await engine.active();
  expect((await engine.call('GET', 'kv/a')).body.data).toEqual({ b: 'c' });
  await expect.poll(async () => (await status()).fully_wrapped).toBe(true);
  expect((await status()).key_references).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ label: 'vault', mechanism: 'CKM_AES_GCM', records: 3, current: true }),
      expect.objectContaining({ label: 'vault', mechanism: 'CKM_AES_CBC_PAD', records: 0 }),
    ]),
  );
  // Nothing needs the HMAC key any more.
  await engine.reconfigure({ seal: { pkcs11: seal } });
  await engine.active();
  expect((await engine.call('GET', 'kv/a')).body.data).toEqual({ b: 'c' });
});
