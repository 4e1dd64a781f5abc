import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runHsmAgent } from '../../src/engine/seal/pkcs11/sidecar.ts';
import { addToken, makeKey, memoryLog, pkcs11Tool, SOFTHSM } from '../seal/support.ts';
import { type Answer, TestEngine } from './support/engine.ts';

const PIN = 'canary-managed-pin-2Wz';
let engine: TestEngine;
let socket: string;

beforeAll(async () => {
  socket = join(mkdtempSync(join(tmpdir(), 'sealedvault-agent-')), 'run', 'agent.sock');
  engine = await TestEngine.initialized({
    kms_library: [
      { pkcs11: { name: 'softhsm', library: SOFTHSM } },
      { pkcs11: { name: 'far', agent_address: `unix://${socket}` } },
    ],
  });
  addToken(engine.token.env, PIN, 'keys');
});
afterAll(async () => {
  for (const canary of [PIN, engine.token.pin, engine.root])
    expect(engine.logLines.join('')).not.toContain(canary);
  await engine.stop();
});

const RSA = { library: 'softhsm', token_label: 'keys', pin: PIN, mechanism: '0x0001', key_bits: 2048 };
const put = (name: string, more: object = {}): Promise<Answer> =>
  engine.call('POST', `sys/managed-keys/pkcs11/${name}`, {
    ...RSA,
    key_label: name,
    allow_generate_key: 'true',
    ...more,
  });
const testSign = (name: string, body: object = {}): Promise<Answer> =>
  engine.call('POST', `sys/managed-keys/pkcs11/${name}/test/sign`, body);

test('a key behind an HSM agent signs while the agent is there, and again when it is back', async () => {
  const serve = (signal: AbortSignal): Promise<number> =>
    runHsmAgent({
      configText: `managed_keys = true\nseal "pkcs11" {\n lib = "${SOFTHSM}"\n token_label = "${engine.token.label}"\n key_label = "root"\n}`,
      listenPath: socket,
      env: { ...engine.token.env, VAULT_HSM_PIN: engine.token.pin },
      log: memoryLog(),
      signal,
    });
  let stop = new AbortController();
  let ended = serve(stop.signal);
  expect((await put('far', { library: 'far', any_mount: true })).status).toBe(204);
  expect((await testSign('far')).status).toBe(204);
  stop.abort();
  await ended;
  const gone = await testSign('far');
  expect(gone.status).toBe(400);
  expect(gone.body.errors[0]).toContain('is the agent running?');
  stop = new AbortController();
  ended = serve(stop.signal);
  expect((await testSign('far')).status).toBe(204);
  const allowed_managed_keys = ['far'];
  await engine.call('POST', 'sys/mounts/signing', { type: 'transit', config: { allowed_managed_keys } });
  const key = { type: 'managed_key', managed_key_name: 'far' };
  expect((await engine.call('POST', 'signing/keys/k', key)).status).toBe(200);
  const input = Buffer.from('what is signed').toString('base64');
  const signed = await engine.call('POST', 'signing/sign/k', { input, signature_algorithm: 'pkcs1v15' });
  const { signature } = signed.body.data;
  const verified = await engine.call('POST', 'signing/verify/k', {
    input,
    signature,
    signature_algorithm: 'pkcs1v15',
  });
  expect(verified.body.data.valid).toBe(true);
  await engine.call('DELETE', 'sys/mounts/signing');
  await engine.call('DELETE', 'sys/managed-keys/pkcs11/far');
  stop.abort();
  await ended;
});

describe('sys/managed-keys', () => {
  test('keeps a configuration, shows it without the PIN, lists and deletes it', async () => {
    expect((await engine.call('LIST', 'sys/managed-keys/pkcs11')).status).toBe(404);
    expect((await put('first', { any_mount: 'false', slot: '12' })).status).toBe(204);
    const { body } = await engine.call('GET', 'sys/managed-keys/pkcs11/first');
    expect(body.data).toEqual({
      UUID: expect.stringMatching(/^[0-9a-f-]{36}$/),
      allow_generate_key: true,
      allow_replace_key: false,
      allow_store_key: false,
      any_mount: false,
      curve: '',
      force_rw_session: false,
      key_bits: 2048,
      key_id: '',
      key_label: 'first',
      library: 'softhsm',
      max_parallel: 1,
      mechanism: 1,
      name: 'first',
      pin: 'redacted',
      slot: 12,
      token_label: 'keys',
      type: 'pkcs11',
      usages: ['sign', 'verify'],
    });
    expect((await engine.call('LIST', 'sys/managed-keys/pkcs11')).body.data.keys).toEqual(['first']);
    expect((await engine.call('PUT', 'sys/managed-keys/pkcs11/first', { any_mount: true })).status).toBe(204);
    const again = await engine.call('GET', 'sys/managed-keys/pkcs11/first');
    expect(again.body.data).toEqual({ ...body.data, any_mount: true });
    expect((await engine.call('DELETE', 'sys/managed-keys/pkcs11/first')).status).toBe(204);
    expect((await engine.call('GET', 'sys/managed-keys/pkcs11/first')).status).toBe(404);
  });

  test.each([
    [{ library: 'other' }, 'no kms_library stanza named'],
    [{ key_label: '', key_id: '' }, 'key_label or key_id is required'],
    [{ key_id: 'xyz' }, 'key_id must be hex'],
    [{ token_label: '' }, 'slot or token_label is required'],
    [{ slot: '0x5' }, 'slot must be a decimal number'],
    [{ pin: '' }, 'pin is required'],
    [{ mechanism: '0x1087' }, 'mechanism must be'],
    [{ mechanism: 'CKM_ECDSA' }, 'mechanism must be'],
    [{ mechanism: '0x1041', curve: 'P224' }, 'curve must be'],
    [{ mechanism: '0x1041' }, 'curve is required'],
    [{ key_bits: 1024 }, 'key_bits must be'],
    [{ key_bits: 0 }, 'key_bits is required'],
    [{ usages: 'sign,eat' }, 'unknown usage "eat"'],
  ])('refuses %j: %s', async (more, message) => {
    const { status, body } = await put('bad', more);
    expect([status, body.errors[0]]).toEqual([400, expect.stringContaining(message)]);
    expect((await engine.call('GET', 'sys/managed-keys/pkcs11/bad')).status).toBe(404);
    expect(JSON.stringify(body)).not.toContain(PIN);
  });

  test('refuses other types and names that are not lowercase', async () => {
    expect((await engine.call('POST', 'sys/managed-keys/awskms/x', RSA)).status).toBe(400);
    expect((await engine.call('LIST', 'sys/managed-keys/awskms')).status).toBe(400);
    expect((await put('Upper')).status).toBe(400);
  });

  test.each([
    ['rsa-pkcs', { mechanism: '0x0001' }, {}],
    [
      'rsa-pkcs-as-pss',
      { mechanism: '0x0001', key_label: 'rsa-pkcs' },
      { use_pss: true, hash_algorithm: 'sha2-512' },
    ],
    ['rsa-pss', { mechanism: '0x000D' }, { hash_algorithm: 'sha2-384' }],
    ['ec-256', { mechanism: '0x1041', curve: 'P256' }, {}],
    ['ec-384', { mechanism: '0x1041', curve: 'P384' }, { hash_algorithm: 'sha2-384' }],
    ['ec-521', { mechanism: '0x1041', curve: 'P521' }, { hash_algorithm: 'sha2-512' }],
  ])('makes %s in the HSM and signs with it', async (name, more, how) => {
    expect((await put(name, more)).status).toBe(204);
    expect(await testSign(name, how)).toMatchObject({ status: 204 });
    expect((await testSign(name)).status).toBe(204);
  });

  test('signs with a key that is there, also by its id', async () => {
    const token = { ...engine.token, label: 'keys', pin: PIN };
    makeKey(token, 'EC:prime256v1', 'made-outside', '0a0b', ['--usage-sign']);
    await put('outside', { mechanism: '0x1041', key_label: 'made-outside', allow_generate_key: false });
    expect((await testSign('outside')).status).toBe(204);
    await put('by-id', { mechanism: '0x1041', key_label: '', key_id: '0x0A0B', allow_generate_key: false });
    expect((await testSign('by-id')).status).toBe(204);
    await put('no-such-id', { mechanism: '0x1041', curve: 'P256', key_label: '', key_id: '0c0c' });
    expect((await testSign('no-such-id')).body.errors[0]).toContain('named by key_id is never made');
  });

  test('does nothing with the key that seals the vault, and makes none under its name', async () => {
    const seal = { token_label: engine.token.label, pin: engine.token.pin, key_label: 'root' };
    await put('seal-key', seal);
    expect((await testSign('seal-key')).body.errors[0]).toContain('seals this vault');
    await put('seal-key', { ...seal, key_label: 'beside' });
    expect((await testSign('seal-key')).status).toBe(204);
  });

  test('does not make a key that it may not make, and says what is wrong', async () => {
    await put('absent', { allow_generate_key: false });
    const absent = await testSign('absent');
    expect([absent.status, absent.body.errors[0]]).toEqual([
      400,
      expect.stringContaining('allow_generate_key'),
    ]);
    await put('nowhere', { token_label: 'elsewhere' });
    expect((await testSign('nowhere')).body.errors[0]).toContain('no token fits');
    expect((await testSign('unheard-of')).status).toBe(400);
    await put('oaep', { mechanism: '0x0009' });
    expect((await testSign('oaep')).body.errors[0]).toContain('does not sign');
    await put('hash');
    expect((await testSign('hash', { hash_algorithm: 'sha3-256' })).status).toBe(400);
  });

  test('takes no PIN on trust because another one opened the token', async () => {
    await put('right');
    expect((await testSign('right')).status).toBe(204);
    await put('wrong', { key_label: 'right', pin: 'canary-wrong-9', allow_generate_key: false });
    const wrong = await testSign('wrong');
    expect([wrong.status, wrong.body.errors[0]]).toEqual([
      400,
      expect.stringContaining('the HSM refused the PIN'),
    ]);
    expect((await testSign('right')).status).toBe(204);
    expect((await testSign('wrong')).status).toBe(400);
    expect(engine.logLines.join('')).not.toContain('canary-wrong-9');
  });

  test('needs a policy like everything else', async () => {
    const made = await engine.call('POST', 'auth/token/create', { policies: ['default'] });
    const token = made.body.auth.client_token;
    expect((await engine.call('GET', 'sys/managed-keys/pkcs11/right', undefined, token)).status).toBe(403);
  });
});

test('allowed_managed_keys of a mount is tuned and shown, and keeps its keys from being deleted', async () => {
  await put('granted');
  await engine.call('POST', 'sys/mounts/t', {
    type: 'transit',
    config: { allowed_managed_keys: ['granted', 'x'] },
  });
  expect((await engine.call('GET', 'sys/mounts/t/tune')).body.data.allowed_managed_keys).toEqual([
    'granted',
    'x',
  ]);
  const refused = await engine.call('DELETE', 'sys/managed-keys/pkcs11/granted');
  expect([refused.status, refused.body.errors[0]]).toEqual([
    400,
    expect.stringContaining('allowed_managed_keys of mount t/'),
  ]);
  await engine.call('POST', 'sys/mounts/t/tune', { allowed_managed_keys: 'x' });
  expect((await engine.call('DELETE', 'sys/managed-keys/pkcs11/granted')).status).toBe(204);
});

test('the private key of a managed key is sensitive, never extractable, and made in the HSM', () => {
  const token = { ...engine.token, label: 'keys', pin: PIN };
  const listed = pkcs11Tool(token, ['--list-objects', '--type', 'privkey']);
  const [, made] = /label: +rsa-pkcs\n([^]*?)(?:\nPrivate|$)/.exec(listed) ?? [];
  expect(made).toContain('sensitive, always sensitive, never extractable, local');
  expect(made).toMatch(/Usage: +sign\n/);
});

test('configurations survive a restart', async () => {
  await put('kept');
  await engine.restart();
  expect((await testSign('kept')).status).toBe(204);
});
