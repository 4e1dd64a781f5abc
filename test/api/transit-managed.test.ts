import { constants, createVerify, publicEncrypt, verify } from 'node:crypto';
import { renameSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { calls, fault, FaultLibrary } from '../seal/fault-library.ts';
import { addToken } from '../seal/support.ts';
import { type Answer, TestEngine } from './support/engine.ts';

const PIN = 'canary-managed-pin-8Rt';
const library = new FaultLibrary();
let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.initialized((token: TestEngine['token']) => {
    const { lib, library_env } = library.on(token);
    return { kms_library: [{ pkcs11: { name: 'hsm', library: lib, library_env } }] };
  });
  addToken(engine.token.env, PIN, 'keys');
  fault(engine.token, 'oaep', 'all', 1_000_000);
  for (const [name, more] of [
    ['rsa', { mechanism: '0x0001', key_bits: 2048 }],
    ['rsa-2', { mechanism: '0x0001', key_bits: 2048 }],
    ['ec', { mechanism: '0x1041', curve: 'P384' }],
    ['oaep', { mechanism: '0x0009', key_bits: 2048 }],
  ] as const) {
    const config = {
      library: 'hsm',
      token_label: 'keys',
      pin: PIN,
      key_label: name,
      allow_generate_key: true,
      ...more,
    };
    expect((await engine.call('POST', `sys/managed-keys/pkcs11/${name}`, config)).status).toBe(204);
  }
  const allowed_managed_keys = ['rsa', 'rsa-2', 'ec', 'oaep'];
  await engine.call('POST', 'sys/mounts/transit', { type: 'transit', config: { allowed_managed_keys } });
  await engine.call('POST', 'sys/mounts/other', { type: 'transit' });
  for (const name of ['rsa', 'ec', 'oaep'])
    expect((await make(name, { managed_key_name: name })).status).toBe(200);
});
afterAll(async () => {
  for (const canary of [PIN, engine.token.pin, engine.root])
    expect(engine.logLines.join('')).not.toContain(canary);
  await engine.stop();
  library.remove();
});

const make = (name: string, body: object, mount = 'transit'): Promise<Answer> =>
  engine.call('POST', `${mount}/keys/${name}`, { type: 'managed_key', ...body });
const input = Buffer.from('what is signed').toString('base64');
const key = async (name: string): Promise<any> =>
  (await engine.call('GET', `transit/keys/${name}`)).body.data;
const payload = (text: string): Buffer => Buffer.from(text.split(':')[2] ?? '', 'base64');

describe('a transit key of type managed_key', () => {
  test('shows the public key and what it can do', async () => {
    expect(await key('rsa')).toMatchObject({
      type: 'managed_key',
      exportable: false,
      supports_signing: true,
      supports_encryption: false,
      supports_derivation: false,
      keys: { 1: { name: 'rsa-2048', public_key: expect.stringContaining('BEGIN PUBLIC KEY') } },
    });
    expect(await key('ec')).toMatchObject({ keys: { 1: { name: 'P-384' } } });
    expect(await key('oaep')).toMatchObject({ supports_signing: false, supports_decryption: true });
  });

  test.each([
    ['rsa', { signature_algorithm: 'pkcs1v15' }, {}],
    ['rsa', { signature_algorithm: 'pkcs1v15', hash_algorithm: 'sha2-512' }, {}],
    ['rsa', { signature_algorithm: 'pss' }, { padding: constants.RSA_PKCS1_PSS_PADDING }],
    [
      'rsa',
      { signature_algorithm: 'pss', salt_length: '20' },
      { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 20 },
    ],
    ['ec', { hash_algorithm: 'sha2-384' }, {}],
  ])('%s signs in the HSM (%j), OpenSSL and Vault verify it', async (name, how, padding) => {
    const before = calls(engine.token, 'C_Sign');
    const signed = await engine.call('POST', `transit/sign/${name}`, { input, ...how });
    expect(signed.status).toBe(200);
    expect(calls(engine.token, 'C_Sign')).toBe(before + 1);
    const { signature } = signed.body.data;
    const publicKey = (await key(name)).keys[1].public_key;
    const hash = ('hash_algorithm' in how ? how.hash_algorithm : 'sha2-256').replace('sha2-', 'sha');
    const bytes = Buffer.from('what is signed');
    expect(verify(hash, bytes, { key: publicKey, ...padding }, payload(signature))).toBe(true);
    const valid = await engine.call('POST', `transit/verify/${name}`, { input, signature, ...how });
    expect(valid.body.data.valid).toBe(true);
    const other = Buffer.from('something else').toString('base64');
    const invalid = await engine.call('POST', `transit/verify/${name}`, { input: other, signature, ...how });
    expect(invalid.body.data.valid).toBe(false);
  });

  test('signs digests, and in the form of JWS', async () => {
    const { createHash } = await import('node:crypto');
    const digest = createHash('sha384').update('what is signed').digest('base64');
    const how = { hash_algorithm: 'sha2-384', prehashed: true, marshaling_algorithm: 'jws' };
    const { signature } = (await engine.call('POST', 'transit/sign/ec', { input: digest, ...how })).body.data;
    const raw = Buffer.from(signature.split(':')[2], 'base64url');
    expect(raw).toHaveLength(96);
    const publicKey = { key: (await key('ec')).keys[1].public_key, dsaEncoding: 'ieee-p1363' as const };
    expect(createVerify('sha384').update('what is signed').verify(publicKey, raw)).toBe(true);
  });

  test('encrypts with the public key and decrypts in the HSM', async () => {
    const plaintext = Buffer.from('a secret').toString('base64');
    const before = calls(engine.token, 'C_Decrypt');
    const { ciphertext } = (await engine.call('POST', 'transit/encrypt/oaep', { plaintext })).body.data;
    expect(calls(engine.token, 'C_Decrypt')).toBe(before);
    expect((await engine.call('POST', 'transit/decrypt/oaep', { ciphertext })).body.data.plaintext).toBe(
      plaintext,
    );
    expect(calls(engine.token, 'C_Decrypt')).toBe(before + 1);
    const { public_key: pem } = (await key('oaep')).keys[1];
    const made = publicEncrypt({ key: pem, oaepHash: 'sha256' }, Buffer.from('a secret')).toString('base64');
    const opened = await engine.call('POST', 'transit/decrypt/oaep', { ciphertext: `vault:v1:${made}` });
    expect(opened.body.data.plaintext).toBe(plaintext);
    const broken = `vault:v1:${Buffer.alloc(256, 1).toString('base64')}`;
    const refused = await engine.call('POST', 'transit/decrypt/oaep', { ciphertext: broken });
    expect([refused.status, refused.body.errors[0]]).toEqual([
      400,
      expect.stringContaining('decryption error'),
    ]);
  });

  test('rotates to another managed key, and old signatures stay good', async () => {
    await make('turning', { managed_key_name: 'rsa' });
    const how = { signature_algorithm: 'pkcs1v15' };
    const { signature } = (await engine.call('POST', 'transit/sign/turning', { input, ...how })).body.data;
    expect((await engine.call('POST', 'transit/keys/turning/rotate', {})).status).toBe(400);
    const id = (await engine.call('GET', 'sys/managed-keys/pkcs11/rsa-2')).body.data.UUID;
    expect((await engine.call('POST', 'transit/keys/turning/rotate', { managed_key_id: id })).status).toBe(
      200,
    );
    const again = (await engine.call('POST', 'transit/sign/turning', { input, ...how })).body.data;
    expect(again.signature).toMatch(/^vault:v2:/);
    for (const each of [signature, again.signature]) {
      const answer = await engine.call('POST', 'transit/verify/turning', { input, signature: each, ...how });
      expect(answer.body.data.valid).toBe(true);
    }
  });

  test.each([
    [{}, 'managed_key_name or managed_key_id is required'],
    [{ managed_key_name: 'unheard-of' }, 'no managed key "unheard-of" is available to this mount'],
    [{ managed_key_id: 'x' }, 'no managed key "x" is available to this mount'],
    [{ managed_key_name: 'rsa', exportable: true }, 'not valid for keys of type managed_key'],
    [{ managed_key_name: 'rsa', derived: true }, 'not valid for keys of type managed_key'],
    [{ managed_key_name: 'rsa', auto_rotate_period: '24h' }, 'not valid for keys of type managed_key'],
  ])('is refused for %j', async (body, message) => {
    const { status, body: answer } = await make('bad', body);
    expect([status, answer.errors[0]]).toEqual([400, expect.stringContaining(message)]);
    expect((await engine.call('GET', 'transit/keys/bad')).status).toBe(404);
  });

  test('is never exported or backed up, whatever is configured', async () => {
    for (const body of [
      { exportable: true },
      { allow_plaintext_backup: true },
      { auto_rotate_period: '24h' },
    ])
      expect((await engine.call('POST', 'transit/keys/rsa/config', body)).status).toBe(400);
    for (const path of ['export/signing-key/rsa', 'backup/rsa'])
      expect((await engine.call('GET', `transit/${path}`)).status).toBeGreaterThanOrEqual(400);
  });

  test('is for mounts that were granted it, also after it was made', async () => {
    expect((await make('mine', { managed_key_name: 'rsa' }, 'other')).body.errors[0]).toContain(
      'is available to this mount',
    );
    await engine.call('POST', 'sys/mounts/other/tune', { allowed_managed_keys: 'rsa' });
    expect((await make('mine', { managed_key_name: 'rsa' }, 'other')).status).toBe(200);
    expect((await engine.call('POST', 'other/sign/mine', { input })).status).toBe(200);
    await engine.call('POST', 'sys/mounts/other/tune', { allowed_managed_keys: '' });
    expect((await engine.call('POST', 'other/sign/mine', { input })).status).toBe(400);
  });
});

describe('while the HSM', () => {
  const signs = async (): Promise<number> => (await engine.call('POST', 'transit/sign/ec', { input })).status;

  test('drops sessions, forgets log-ins or crashes, signing goes on', async () => {
    for (const [name, what] of [
      ['C_SignInit', 179],
      ['C_SignInit', 257],
      ['C_Sign', 48],
      ['C_Sign', 'crash'],
    ] as const) {
      fault(engine.token, name, what, 1);
      expect(await signs()).toBe(200);
    }
  });

  test('is away, signing fails with a sentence and works again after; what needs the public key goes on', async () => {
    const { signature } = (await engine.call('POST', 'transit/sign/ec', { input })).body.data;
    const { tokens } = engine.token;
    renameSync(tokens, `${tokens}.away`);
    fault(engine.token, 'C_SignInit', 48, 1_000_000);
    const failed = await engine.call('POST', 'transit/sign/ec', { input });
    expect([failed.status, failed.body.errors[0]]).toEqual([500, expect.stringMatching(/HSM|token|library/)]);
    const valid = await engine.call('POST', 'transit/verify/ec', { input, signature });
    expect(valid.body.data.valid).toBe(true);
    renameSync(`${tokens}.away`, tokens);
    fault(engine.token, 'C_SignInit', 48, 0);
    await expect.poll(signs, { timeout: 20_000 }).toBe(200);
  });

  test('a restart changes nothing', async () => {
    await engine.restart();
    expect(await signs()).toBe(200);
  });
});
