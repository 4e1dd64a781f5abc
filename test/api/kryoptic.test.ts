import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeKryopticToken } from '../seal/kryoptic-token.ts';
import { SOFTHSM, type TestToken } from '../seal/support.ts';
import { until } from '../support/cluster/command.ts';
import { kryoptic } from '../support/kryoptic.ts';
import { type Answer, TestEngine } from './support/engine.ts';

/** A vault that moves from SoftHSM to Kryoptic and back, and managed keys that lie in Kryoptic. */
const found = await kryoptic();
const lib = 'lib' in found ? found.lib : '';
let engine: TestEngine;
let other: TestToken;
let shares: string[] = [];

if ('missing' in found)
  test('Kryoptic is needed for the tests of this file', ({ skip }) => skip(found.missing));

const describeKryoptic = describe.skipIf('missing' in found);

beforeAll(async () => {
  if ('missing' in found) return;
  engine = await TestEngine.start();
  const made = await engine.call('PUT', 'sys/init', { recovery_shares: 3, recovery_threshold: 2 });
  engine.root = made.body.root_token;
  shares = made.body.recovery_keys_base64;
  other = await makeKryopticToken(lib, 'canary-pin-kryoptic');
});
afterAll(async () => {
  if ('missing' in found) return;
  for (const canary of [engine.token.pin, other.pin, ...shares])
    expect(engine.logLines.join('')).not.toContain(canary);
  await engine.stop();
  other[Symbol.dispose]();
});

const softhsm = (more: object = {}): object => ({
  pkcs11: { lib: SOFTHSM, token_label: engine.token.label, key_label: 'root', generate_key: 'true', ...more },
});
const inKryoptic = (more: object = {}): object => ({
  pkcs11: {
    lib,
    token_label: other.label,
    key_label: 'root',
    generate_key: 'true',
    name: 'kryoptic',
    ...more,
  },
});
const env = (): Record<string, string> => ({ ...other.env, VAULT_HSM_PIN_kryoptic: other.pin });

async function migrate(): Promise<Answer> {
  await until('a pending migration', 20_000, async () => {
    const { body } = await engine.call('GET', 'sys/seal-status');
    return body.migration === true || undefined;
  });
  await engine.call('PUT', 'sys/unseal', { key: shares[0], migrate: true }, '');
  return engine.call('PUT', 'sys/unseal', { key: shares[2], migrate: true }, '');
}

/** The vault asks its HSM some moments after it opened. */
async function keyReport(): Promise<unknown> {
  return until('a report of the key', 20_000, async () => {
    const { body } = await engine.call('GET', 'sys/seal-backend-status');
    return body.key;
  });
}

const secret = async (): Promise<unknown> => (await engine.call('GET', 'kv/a')).body.data;

describeKryoptic('a vault', () => {
  test.each(['CKM_AES_GCM', 'CKM_RSA_PKCS_OAEP'])(
    'goes from SoftHSM to Kryoptic (%s) and back, with everything in it',
    async (mechanism) => {
      await engine.call('POST', 'sys/mounts/kv', { type: 'kv' });
      await engine.call('PUT', 'kv/a', { canary: mechanism });
      const there = { mechanism, key_label: mechanism };
      await engine.reconfigure({ seal: [softhsm({ disabled: 'true' }), inKryoptic(there)] }, env());
      expect((await migrate()).body).toMatchObject({ type: 'pkcs11', sealed: false, migration: false });
      expect(await secret()).toEqual({ canary: mechanism });

      // The token of SoftHSM is not needed any more.
      const alone = { ...other.env, VAULT_HSM_PIN: other.pin, SOFTHSM2_CONF: '/nowhere.conf' };
      await engine.reconfigure({ seal: inKryoptic(there) }, alone);
      await engine.active();
      expect(await secret()).toEqual({ canary: mechanism });
      expect(await keyReport()).toMatchObject({ label: mechanism, mechanism, strong: true, warnings: [] });

      await engine.reconfigure(
        { seal: [inKryoptic({ ...there, disabled: 'true' }), softhsm({ name: 'soft' })] },
        { ...env(), SOFTHSM2_CONF_soft: engine.token.conf, VAULT_HSM_PIN_soft: engine.token.pin },
      );
      expect((await migrate()).body).toMatchObject({ type: 'pkcs11', sealed: false, migration: false });
      await engine.reconfigure({ seal: softhsm() });
      await engine.active();
      expect(await secret()).toEqual({ canary: mechanism });
    },
  );
});

describeKryoptic('a managed key', () => {
  beforeAll(async () => {
    await engine.reconfigure({ kms_library: [{ pkcs11: { name: 'kryoptic', library: lib } }] }, other.env);
    await engine.active();
  });

  test.each([
    ['rsa-pkcs', { mechanism: '0x0001', key_bits: 2048 }, {}],
    ['rsa-pss', { mechanism: '0x000D', key_bits: 2048 }, { hash_algorithm: 'sha2-384' }],
    ['ec-256', { mechanism: '0x1041', curve: 'P256' }, {}],
    ['ec-384', { mechanism: '0x1041', curve: 'P384' }, { hash_algorithm: 'sha2-384' }],
    ['ec-521', { mechanism: '0x1041', curve: 'P521' }, { hash_algorithm: 'sha2-512' }],
  ])('%s is made in Kryoptic and signs', async (name, more, how) => {
    const key = {
      library: 'kryoptic',
      token_label: other.label,
      pin: other.pin,
      key_label: name,
      allow_generate_key: true,
      any_mount: true,
      ...more,
    };
    expect((await engine.call('POST', `sys/managed-keys/pkcs11/${name}`, key)).status).toBe(204);
    expect(await engine.call('POST', `sys/managed-keys/pkcs11/${name}/test/sign`, how)).toMatchObject({
      status: 204,
    });
  });

  test('decrypts for transit what was encrypted for it, and nothing else', async () => {
    const key = {
      library: 'kryoptic',
      token_label: other.label,
      pin: other.pin,
      key_label: 'oaep',
      allow_generate_key: true,
      any_mount: true,
      mechanism: '0x0009',
      key_bits: 2048,
    };
    expect((await engine.call('POST', 'sys/managed-keys/pkcs11/oaep', key)).status).toBe(204);
    await engine.call('POST', 'sys/mounts/transit', { type: 'transit' });
    const made = await engine.call('POST', 'transit/keys/far', {
      type: 'managed_key',
      managed_key_name: 'oaep',
    });
    expect(made.body?.errors).toBeUndefined();
    const plaintext = Buffer.from('for Kryoptic').toString('base64');
    const { ciphertext } = (await engine.call('POST', 'transit/encrypt/far', { plaintext })).body.data;
    const opened = await engine.call('POST', 'transit/decrypt/far', { ciphertext });
    expect(opened.body.data.plaintext).toBe(plaintext);
    const bytes = Buffer.from(ciphertext.slice('vault:v1:'.length), 'base64');
    bytes[9] = (bytes[9] ?? 0) ^ 1;
    const changed = `vault:v1:${bytes.toString('base64')}`;
    expect((await engine.call('POST', 'transit/decrypt/far', { ciphertext: changed })).status).toBe(400);
    expect((await engine.call('POST', 'transit/decrypt/far', { ciphertext })).status).toBe(200);
  });
});
