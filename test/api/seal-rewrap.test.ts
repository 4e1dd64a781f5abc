import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditKey } from '../../src/engine/core/seal-key-audit.ts';
import { makeKey, pkcs11Tool, SOFTHSM, type TestToken } from '../seal/support.ts';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
let keyLabel = 'root';
let shares: string[] = [];

beforeAll(async () => {
  engine = await TestEngine.start((token: TestToken) => ({
    seal: {
      pkcs11: { lib: SOFTHSM, token_label: token.label, key_label: keyLabel, generate_key: 'true' },
    },
  }));
  const made = await engine.call('PUT', 'sys/init', { recovery_shares: 3, recovery_threshold: 2 });
  engine.root = made.body.root_token;
  shares = made.body.recovery_keys;
  await engine.call('POST', 'sys/mounts/kv', { type: 'kv' });
  await engine.call('PUT', 'kv/a', { b: 'c' });
});
afterAll(async () => {
  for (const canary of [engine.token.pin, engine.root, ...shares])
    expect(engine.logLines.join('')).not.toContain(canary);
  await engine.stop();
});

const status = async (): Promise<any> =>
  (await engine.call('GET', 'sys/seal-backend-status', undefined, '')).body;
const rewrap = async (): Promise<any> => (await engine.call('GET', 'sys/sealwrap/rewrap')).body.data;

function deleteKey(label: string): void {
  pkcs11Tool(engine.token, ['--delete-object', '--type', 'secrkey', '--label', label]);
}

async function quorumWorks(): Promise<boolean> {
  const { nonce } = (await engine.call('PUT', 'sys/generate-root/attempt', {})).body;
  let last;
  for (const key of shares.slice(0, 2))
    last = await engine.call('PUT', 'sys/generate-root/update', { key, nonce });
  return last?.body.complete === true;
}

describe('a key that changes in the configuration', () => {
  test('takes over everything at the next unseal, and the old one may be deleted', async () => {
    expect((await status()).key_references).toEqual([
      {
        label: 'root',
        id: expect.any(String),
        mechanism: 'CKM_AES_GCM',
        current: true,
        records: 3,
        safe_to_delete: false,
      },
    ]);
    makeKey(engine.token, 'AES:32', 'second', '52');
    keyLabel = 'second';
    await engine.restart();
    await expect.poll(async () => (await status()).fully_wrapped).toBe(true);
    const after = await status();
    expect(after.key_references).toMatchObject([
      { label: 'second', id: '52', current: true, records: 3, safe_to_delete: false },
      { label: 'root', current: false, records: 0, safe_to_delete: true },
    ]);
    expect(await rewrap()).toEqual({
      entries: { processed: 3, succeeded: 3, failed: 0 },
      is_running: false,
    });
    deleteKey('root');
    await engine.restart();
    expect((await engine.call('GET', 'kv/a')).body.data).toEqual({ b: 'c' });
    expect(await quorumWorks()).toBe(true);
    expect((await status()).key_references).toMatchObject([
      { label: 'second', records: 3 },
      { label: 'root', records: 0, safe_to_delete: true },
    ]);
  });

  test('needs no restart to be asked for by hand, with a token', async () => {
    expect((await engine.call('POST', 'sys/sealwrap/rewrap')).status).toBe(204);
    await expect.poll(rewrap).toEqual({
      entries: { processed: 3, succeeded: 3, failed: 0 },
      is_running: false,
    });
    expect((await engine.call('POST', 'sys/sealwrap/rewrap', {}, '')).status).toBe(403);
  });

  test('back and forth names each key once', async () => {
    makeKey(engine.token, 'AES:32', 'third', '53');
    for (const label of ['third', 'second', 'third']) {
      keyLabel = label;
      await engine.restart();
      await expect.poll(async () => (await status()).fully_wrapped).toBe(true);
    }
    expect((await status()).key_references.map(({ label, records }: any) => [label, records])).toEqual([
      ['third', 3],
      ['root', 0],
      ['second', 0],
    ]);
  });

  test('and a root key that rotates at the same time do not lose each other', async () => {
    const calls = await Promise.all([
      engine.call('POST', 'sys/rotate/root'),
      engine.call('POST', 'sys/sealwrap/rewrap'),
      engine.call('POST', 'sys/rotate'),
      engine.call('POST', 'sys/rotate/root'),
      engine.call('POST', 'sys/sealwrap/rewrap'),
    ]);
    for (const { status: code } of calls) expect([200, 204]).toContain(code);
    await engine.restart();
    expect((await engine.call('GET', 'kv/a')).body.data).toEqual({ b: 'c' });
  });
});

describe('a key that is kept badly', () => {
  test('is named, with the reason', async () => {
    const attributes = ['--label', 'weak', '--id', '66', '--extractable'];
    pkcs11Tool(engine.token, ['--keygen', '--key-type', 'AES:32', ...attributes]);
    keyLabel = 'weak';
    await engine.restart();
    const { key } = await status();
    expect(key).toMatchObject({ label: 'weak', id: '66', strong: false, attributes: { extractable: true } });
    expect(key.warnings.join()).toContain('CKA_EXTRACTABLE is true');
    expect(key.warnings.join()).toContain('CKA_NEVER_EXTRACTABLE is false');
  });

  test.each([
    ['sensitive', false],
    ['extractable', true],
    ['alwaysSensitive', false],
    ['neverExtractable', false],
    ['local', false],
    ['private', false],
  ])('is weak when %s is %s', (name, weak) => {
    const key = { mechanism: 'CKM_AES_GCM', keyLabel: 'k', keyId: '', checkValue: '' };
    expect(auditKey({ ...key, attributes: { [name]: weak } })).toMatchObject({ strong: false });
    expect(auditKey({ ...key, attributes: { [name]: !weak } })).toMatchObject({ strong: true, warnings: [] });
    expect(auditKey({ ...key, attributes: {} }).strong).toBe(true);
  });

  test('is told of usages that the seal does not need', () => {
    const key = { mechanism: 'CKM_AES_GCM', keyLabel: 'k', keyId: '', checkValue: '' };
    const { strong, warnings } = auditKey({ ...key, attributes: { wrap: true, sign: true, decrypt: true } });
    expect(strong).toBe(true);
    expect(warnings).toEqual(['it may be used for more than encrypting and decrypting: CKA_WRAP, CKA_SIGN']);
  });
});
