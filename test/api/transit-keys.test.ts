import {
  createCipheriv,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
  verify,
} from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

const types = [
  'aes128-gcm96',
  'aes256-gcm96',
  'chacha20-poly1305',
  'xchacha20-poly1305',
  'ecdsa-p256',
  'ecdsa-p384',
  'ecdsa-p521',
  'ed25519',
  'hmac',
  'rsa-2048',
  'rsa-3072',
];

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/mounts/t', { type: 'transit' });
  for (const type of types) await post(`keys/all-${type}`, { type });
});
afterAll(() => engine.stop());

const post = (path: string, body: object = {}) => engine.call('POST', `t/${path}`, body);
const get = (path: string) => engine.call('GET', `t/${path}`);
const b64 = (text: string) => Buffer.from(text).toString('base64');

describe('keys', () => {
  test('every type is made, read and listed; a second write says that it existed', async () => {
    for (const type of types) {
      const name = `made-${type}`;
      expect((await post(`keys/${name}`, { type })).body.data).toMatchObject({ type, latest_version: 1 });
      expect((await get(`keys/${name}`)).body.data.name).toBe(name);
    }
    expect((await post('keys/all-ed25519', { type: 'ed25519' })).body.warnings).toEqual([
      'key all-ed25519 already existed',
    ]);
    expect((await engine.call('LIST', 't/keys')).body.data.keys).toContain('all-rsa-3072');
    expect((await get('keys/none')).status).toBe(404);
  });

  test('shapes that cannot be are refused', async () => {
    for (const [body, message] of [
      [{ type: 'rot13' }, 'unknown key type rot13'],
      [{ convergent_encryption: true }, 'convergent encryption requires derivation to be enabled'],
      [
        { type: 'rsa-2048', derived: true },
        'key derivation and convergent encryption not supported for keys of type rsa-2048',
      ],
      [
        { type: 'ed25519', derived: true, convergent_encryption: true },
        'convergent encryption not supported for keys of type ed25519',
      ],
      [{ type: 'hmac', key_size: 16 }, 'invalid key_size 16'],
      [{ key_size: 32 }, 'key_size is not valid for algorithm aes256-gcm96'],
      [{ auto_rotate_period: '59m' }, 'auto rotate period must be 0 to disable or at least an hour'],
    ] as const)
      expect(await post('keys/bad', body)).toMatchObject({ status: 400, body: { errors: [message] } });
  });

  test('rotation keeps old ciphertexts readable until min_decryption_version; trimming is for ever', async () => {
    await post('keys/turn');
    const made: string[] = [];
    for (let version = 1; version <= 3; version += 1) {
      made.push((await post('encrypt/turn', { plaintext: b64(`v${version}`) })).body.data.ciphertext);
      await post('keys/turn/rotate');
    }
    for (const [index, ciphertext] of made.entries())
      expect((await post('decrypt/turn', { ciphertext })).body.data.plaintext).toBe(b64(`v${index + 1}`));
    await post('keys/turn/config', { min_decryption_version: 3 });
    expect(Object.keys((await get('keys/turn')).body.data.keys)).toEqual(['3', '4']);
    expect((await post('decrypt/turn', { ciphertext: made[0] })).body.errors).toEqual([
      'ciphertext or signature version is disallowed by policy (too old)',
    ]);
    await post('keys/turn/config', { min_decryption_version: 1 });
    expect((await post('decrypt/turn', { ciphertext: made[0] })).body.data.plaintext).toBe(b64('v1'));
    expect((await post('keys/turn/trim', { min_available_version: 2 })).body.errors).toEqual([
      'minimum available version cannot be set when minimum encryption version is not set',
    ]);
    await post('keys/turn/config', { min_decryption_version: 3, min_encryption_version: 3 });
    expect((await post('keys/turn/trim', { min_available_version: 3 })).body.data.min_available_version).toBe(
      3,
    );
    expect((await post('keys/turn/config', { min_decryption_version: 2 })).status).toBe(400);
    expect((await post('encrypt/turn', { plaintext: 'YQ==', key_version: 2 })).body.errors).toEqual([
      'requested version for encryption is less than the minimum encryption key version',
    ]);
    await engine.restart();
    expect((await post('decrypt/turn', { ciphertext: made[2] })).body.data.plaintext).toBe(b64('v3'));
  });

  test('rotations at the same time each add a version', async () => {
    await post('keys/race');
    await Promise.all(Array.from({ length: 10 }, () => post('keys/race/rotate')));
    expect((await get('keys/race')).body.data.latest_version).toBe(11);
  });

  test('a soft deleted key refuses to work until it is restored', async () => {
    await post('keys/soft');
    const { ciphertext } = (await post('encrypt/soft', { plaintext: 'YQ==' })).body.data;
    expect((await engine.call('DELETE', 't/keys/soft/soft-delete')).status).toBe(204);
    expect((await post('decrypt/soft', { ciphertext })).status).toBe(400);
    expect((await post('hmac/soft', { input: 'YQ==' })).status).toBe(400);
    expect((await post('keys/soft/rotate')).status).toBe(400);
    expect((await post('keys/soft/soft-delete-restore')).status).toBe(204);
    expect((await post('decrypt/soft', { ciphertext })).body.data.plaintext).toBe('YQ==');
  });
});

describe('export, backup and import', () => {
  const read = (path: string) => get(path).then(({ body, status }) => body.data?.keys?.['1'] ?? status);

  test('exported keys parse as what they are', async () => {
    for (const type of types) await post(`keys/ex-${type}`, { type, exportable: true });
    for (const [type, what, first] of [
      ['rsa-2048', 'signing-key', '-----BEGIN RSA PRIVATE KEY-----'],
      ['rsa-2048', 'encryption-key', '-----BEGIN RSA PRIVATE KEY-----'],
      ['rsa-2048', 'public-key', '-----BEGIN PUBLIC KEY-----'],
      ['ecdsa-p384', 'signing-key', '-----BEGIN EC PRIVATE KEY-----'],
    ] as const) {
      const pem: string = await read(`export/${what}/ex-${type}`);
      expect(pem.split('\n')[0]).toBe(first);
      const parse = what === 'public-key' ? createPublicKey : createPrivateKey;
      expect(parse(pem).asymmetricKeyType).toBe(type.startsWith('rsa') ? 'rsa' : 'ec');
      expect((await get(`export/${what}/ex-${type}?format=raw`)).status).toBe(400);
    }
    const raw = Buffer.from(await read('export/signing-key/ex-ed25519'), 'base64');
    expect(raw).toHaveLength(64);
    expect(raw.subarray(32).toString('base64')).toBe(await read('export/public-key/ex-ed25519'));
    expect(Buffer.from(await read('export/encryption-key/ex-aes128-gcm96'), 'base64')).toHaveLength(16);
    expect(Buffer.from(await read('export/hmac-key/ex-aes128-gcm96/latest'), 'base64')).toHaveLength(32);
    for (const [path, message] of [
      ['export/rot/ex-hmac', 'invalid export type: rot'],
      ['export/encryption-key/ex-ecdsa-p256', 'encryption not supported for the key'],
      ['export/signing-key/ex-aes256-gcm96', 'signing not supported for the key'],
      ['export/signing-key/all-ed25519', 'private key material is not exportable'],
      ['export/signing-key/ex-ed25519/7', 'version does not exist or cannot be found'],
      ['export/signing-key/ex-ed25519/x', 'invalid key version'],
    ] as const)
      expect((await get(path)).body.errors).toEqual([message]);
    expect((await get('export/signing-key/none')).status).toBe(404);
  });

  test('a backup brings back a key with its archive, under the same or another name', async () => {
    await post('keys/back', { exportable: true, allow_plaintext_backup: true });
    const { ciphertext } = (await post('encrypt/back', { plaintext: 'YQ==' })).body.data;
    await post('keys/back/rotate');
    await post('keys/back/config', { min_decryption_version: 2, deletion_allowed: true });
    const { backup } = (await get('backup/back')).body.data;
    const again = await post('restore', { backup });
    expect([again.status, again.body.errors]).toEqual([500, ['key "back" already exists']]);
    expect((await post('restore', { backup, force: true })).status).toBe(204);
    expect((await engine.call('DELETE', 't/keys/back')).status).toBe(204);
    for (const path of ['restore', 'restore/back2']) expect((await post(path, { backup })).status).toBe(204);
    for (const name of ['back', 'back2']) {
      expect((await get(`keys/${name}`)).body.data).toMatchObject({ name, restore_info: { version: 2 } });
      await post(`keys/${name}/config`, { min_decryption_version: 1 });
      expect((await post(`decrypt/${name}`, { ciphertext })).body.data.plaintext).toBe('YQ==');
    }
    const json = JSON.parse(Buffer.from(backup, 'base64').toString());
    for (const broken of [
      '',
      '!',
      b64('x'),
      b64('{}'),
      b64('{"__proto__":{}}'),
      b64(JSON.stringify({ ...json, policy: { ...json.policy, type: 'rot13' } })),
      b64(JSON.stringify({ ...json, policy: { ...json.policy, type: 'rsa-2048' } })),
      b64(JSON.stringify({ ...json, policy: { ...json.policy, latestVersion: 9 } })),
    ])
      expect((await post('restore/back3', { backup: broken })).status, broken.slice(0, 8)).toBe(400);
  });

  test('a key that was wrapped for the mount is imported, and decrypts what it encrypted elsewhere', async () => {
    const wrappingKey = createPublicKey((await get('wrapping_key')).body.data.public_key);
    expect(wrappingKey.asymmetricKeyDetails?.modulusLength).toBe(4096);
    const wrap = (target: Buffer, oaepHash: string) => {
      const ephemeral = randomBytes(32);
      const kwp = createCipheriv('id-aes256-wrap-pad', ephemeral, Buffer.from('A65959A6', 'hex'));
      return Buffer.concat([
        publicEncrypt({ key: wrappingKey, oaepHash }, ephemeral),
        kwp.update(target),
        kwp.final(),
      ]).toString('base64');
    };
    const secret = randomBytes(32);
    const imported = await post('keys/imp/import', { ciphertext: wrap(secret, 'sha256'), exportable: true });
    expect(imported.status, JSON.stringify(imported.body)).toBe(204);
    expect(await read('export/encryption-key/imp')).toBe(secret.toString('base64'));
    expect((await get('keys/imp')).body.data).toMatchObject({
      imported_key: true,
      imported_key_allow_rotation: false,
    });
    expect((await post('keys/imp/rotate')).status).toBe(400);
    expect(
      (
        await post('keys/imp/import_version', {
          ciphertext: wrap(randomBytes(32), 'sha1'),
          hash_function: 'SHA1',
        })
      ).status,
    ).toBe(204);
    expect((await get('keys/imp')).body.data.latest_version).toBe(2);

    const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const pem = pair.publicKey.export({ type: 'spki', format: 'pem' });
    const der = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
    expect((await post('keys/pub/import', { type: 'ecdsa-p256', public_key: pem })).status).toBe(204);
    expect((await post('sign/pub', { input: 'YQ==' })).body.errors).toEqual([
      'requested version for signing does not contain a private part',
    ]);
    expect((await post('keys/pub/import_version', { ciphertext: wrap(der, 'sha256') })).status).toBe(204);
    expect((await get('keys/pub')).body.data.latest_version).toBe(1);
    const { signature } = (await post('sign/pub', { input: 'YQ==' })).body.data;
    const bytes = Buffer.from(signature.slice('vault:v1:'.length), 'base64');
    expect(verify('sha256', Buffer.from('a'), pair.publicKey, bytes)).toBe(true);

    // Keys that are marked for PSS are RSA keys like others (RFC 4055).
    const marked = generateKeyPairSync('rsa-pss', { modulusLength: 2048, hashAlgorithm: 'sha256' });
    const pkcs8 = marked.privateKey.export({ type: 'pkcs8', format: 'der' });
    const spki = marked.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const pss = { type: 'rsa-2048', ciphertext: wrap(pkcs8, 'sha256') };
    expect((await post('keys/pss/import', pss)).status).toBe(204);
    expect((await post('keys/half/import', { type: 'rsa-2048', public_key: spki })).status).toBe(204);
    const half = await post('keys/half/import_version', { ciphertext: wrap(pkcs8, 'sha256') });
    expect(half.status, JSON.stringify(half.body)).toBe(204);
    for (const padding of ['pss', 'pkcs1v15']) {
      const given = { input: 'YQ==', signature_algorithm: padding };
      const { signature: one } = (await post('sign/half', given)).body.data;
      expect((await post('verify/pss', { ...given, signature: one })).body.data.valid).toBe(true);
    }

    for (const [body, message] of [
      [{}, 'one of the following fields, ciphertext and public_key, must be set'],
      [{ ciphertext: 'AAAA' }, 'provided ciphertext is too short'],
      [{ ciphertext: randomBytes(600).toString('base64') }, 'the ciphertext could not be unwrapped'],
      [
        { ciphertext: wrap(randomBytes(16), 'sha256') },
        'invalid key size 16 bytes for key type aes256-gcm96',
      ],
      [{ type: 'rsa-2048', ciphertext: wrap(der, 'sha256') }, 'invalid key type: expected rsa-2048, got ec'],
      [{ type: 'ecdsa-p384', public_key: pem }, 'invalid curve: expected P-384'],
      [{ public_key: pem }, 'provided type does not support public_key import'],
    ] as const)
      expect((await post('keys/bad/import', body)).body.errors).toEqual([message]);
  });

  test('a key travels to another mount, wrapped for it', async () => {
    await engine.call('POST', 'sys/mounts/t2', { type: 'transit' });
    const { public_key } = (await engine.call('GET', 't2/wrapping_key')).body.data;
    expect((await post('keys/t2/import', { type: 'rsa-4096', public_key })).status).toBe(204);
    for (const type of ['aes256-gcm96', 'ecdsa-p256', 'ed25519', 'hmac']) {
      const ciphertext = await read(`byok-export/t2/ex-${type}`);
      const imported = await engine.call('POST', `t2/keys/${type}/import`, { type, ciphertext });
      expect(imported.status, JSON.stringify(imported.body)).toBe(204);
    }
    const made = (await post('encrypt/ex-aes256-gcm96', { plaintext: 'YQ==' })).body.data;
    expect((await engine.call('POST', 't2/decrypt/aes256-gcm96', made)).body.data.plaintext).toBe('YQ==');
    const signed = (await post('sign/ex-ecdsa-p256', { input: 'YQ==' })).body.data;
    expect(
      (await engine.call('POST', 't2/verify/ecdsa-p256', { input: 'YQ==', signature: signed.signature })).body
        .data.valid,
    ).toBe(true);
    expect((await get('byok-export/all-ed25519/ex-hmac')).status).toBe(400);
  });
});

describe('random, hash and the settings of the mount', () => {
  test('random bytes come in the length and form that were asked for', async () => {
    const length = async (path: string, body?: object) =>
      Buffer.from((await post(path, body)).body.data.random_bytes, 'base64').length;
    expect(await length('random')).toBe(32);
    expect(await length('random/7')).toBe(7);
    expect(await length('random/platform/9')).toBe(9);
    expect(await length('random/platform', { bytes: 11 })).toBe(11);
    expect((await post('random/seal/4')).body.warnings).toHaveLength(1);
    for (const [path, body, message] of [
      ['random/0', {}, '"bytes" cannot be less than 1'],
      ['random', { bytes: 200000 }, '"bytes" should be less than 131072'],
      ['random/x', {}, 'error parsing url-set byte count: "x"'],
      ['random', { format: 'rot' }, 'unsupported encoding format "rot"; must be "hex" or "base64"'],
    ] as const)
      expect((await post(path, body)).body.errors).toEqual([message]);
  });

  test('a small cache forgets keys and still serves them', async () => {
    expect((await post('cache-config', { size: 9 })).body.errors).toEqual([
      'size must be 0 or a value greater or equal to 10',
    ]);
    expect((await post('cache-config', { size: 10 })).body.data).toEqual({ size: 10 });
    const made: string[] = [];
    for (let index = 0; index < 25; index += 1)
      made.push((await post(`encrypt/cache-${index}`, { plaintext: b64(`${index}`) })).body.data.ciphertext);
    for (const [index, ciphertext] of made.entries())
      expect((await post(`decrypt/cache-${index}`, { ciphertext })).body.data.plaintext).toBe(
        b64(`${index}`),
      );
    expect((await get('cache-config')).body.data).toEqual({ size: 10 });
    await post('cache-config', { size: 0 });
  });
});
