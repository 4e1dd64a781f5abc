import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateKey, readMessage, decrypt, readPrivateKey } from 'openpgp';
import { TestEngine } from './support/engine.ts';

const SHAMIR = { seal: { shamir: {} } };
let engine: TestEngine;
let keys: string[] = [];

beforeAll(async () => {
  engine = await TestEngine.start(SHAMIR);
});
afterAll(async () => engine.stop());

async function unsealWith(shares: readonly string[]): Promise<any> {
  let last;
  for (const key of shares) last = await engine.call('PUT', 'sys/unseal', { key }, '');
  return last?.body;
}

/** Combines a root token from an encoded one. */
function decode(encoded: string, otp: string): string {
  const bytes = Buffer.from(encoded, 'base64');
  return Buffer.from(bytes.map((byte, index) => byte ^ otp.charCodeAt(index))).toString();
}

describe('initialization and unsealing by shares', () => {
  test('counts are checked in the words of the API', async () => {
    const init = async (body: object): Promise<unknown> => {
      const { status, body: answer } = await engine.call('PUT', 'sys/init', body);
      return [status, answer.errors[0]];
    };
    expect(await init({})).toEqual([400, 'invalid seal configuration: shares must be at least one']);
    expect(await init({ secret_shares: 3, secret_threshold: 1 })).toEqual([
      400,
      'invalid seal configuration: threshold must be greater than one for multiple shares',
    ]);
    expect(await init({ secret_shares: 2, secret_threshold: 3 })).toEqual([
      400,
      'invalid seal configuration: threshold cannot be larger than shares',
    ]);
    expect(await init({ recovery_shares: 1, recovery_threshold: 1 })).toEqual([
      400,
      'parameters recovery_shares,recovery_threshold not applicable to seal type shamir',
    ]);
  });

  test('a new vault is sealed, and any threshold of its shares opens it', async () => {
    const made = await engine.call('PUT', 'sys/init', { secret_shares: 5, secret_threshold: 3 });
    expect(made.status).toBe(200);
    expect(made.body.keys).toHaveLength(5);
    expect(made.body.recovery_keys).toBeUndefined();
    expect(made.body.keys.map((hex: string) => Buffer.from(hex, 'hex').toString('base64'))).toEqual(
      made.body.keys_base64,
    );
    keys = made.body.keys_base64;
    engine.root = made.body.root_token;
    expect((await engine.call('GET', 'sys/health')).status).toBe(503);
    expect((await engine.call('GET', 'sys/seal-status')).body).toMatchObject({
      type: 'shamir',
      sealed: true,
      t: 3,
      n: 5,
      progress: 0,
      recovery_seal: false,
    });
    expect(await unsealWith(keys.slice(1, 2))).toMatchObject({ sealed: true, progress: 1 });
    expect(await unsealWith(keys.slice(1, 2))).toMatchObject({ sealed: true, progress: 1 });
    expect((await engine.call('PUT', 'sys/unseal', { reset: true }, '')).body).toMatchObject({
      progress: 0,
      nonce: '',
    });
    const opened = await unsealWith([keys[4] ?? '', keys[0] ?? '', made.body.keys[2]]);
    expect(opened).toMatchObject({ sealed: false, progress: 0 });
    expect(opened.cluster_id).toBeTypeOf('string');
  });

  test('wrong shares are refused and lose the progress, and the right ones still open it', async () => {
    expect((await engine.call('PUT', 'sys/seal')).status).toBe(204);
    const wrong = Buffer.from(keys[0] ?? '', 'base64');
    wrong[3] = (wrong[3] ?? 0) ^ 1;
    await unsealWith(keys.slice(1, 3));
    const refused = await engine.call('PUT', 'sys/unseal', { key: wrong.toString('base64') }, '');
    expect(refused.status).toBe(400);
    expect(refused.body.errors[0]).toMatch(/^unable to retrieve stored keys/);
    expect((await engine.call('GET', 'sys/seal-status')).body).toMatchObject({ sealed: true, progress: 0 });
    expect((await engine.call('PUT', 'sys/unseal', { key: 'AAAA' }, '')).body.errors).toEqual([
      'key is shorter than minimum 16 bytes',
    ]);
    expect((await engine.call('PUT', 'sys/unseal', { key: 'not a key' }, '')).body.errors).toEqual([
      "'key' must be a valid hex or base64 string",
    ]);
    expect(await unsealWith(keys.slice(0, 3))).toMatchObject({ sealed: false });
  });

  test('a restarted vault waits for its shares', async () => {
    await engine.call('POST', 'sys/mounts/kv', { type: 'kv' });
    await engine.call('PUT', 'kv/a', { b: 'c' });
    await engine.reboot();
    expect((await engine.call('GET', 'kv/a')).status).toBe(503);
    await unsealWith(keys.slice(2));
    expect((await engine.call('GET', 'kv/a')).body.data).toEqual({ b: 'c' });
  });
});

describe('generate-root', () => {
  test('needs a token unless the listener says otherwise', async () => {
    expect((await engine.call('GET', 'sys/generate-root/attempt', undefined, '')).status).toBe(403);
    expect((await engine.call('PUT', 'sys/rekey/init', {}, '')).status).toBe(403);
  });

  test('a quorum gets a root token, XORed with the one-time password', async () => {
    const begun = await engine.call('PUT', 'sys/generate-root/attempt', {});
    const { nonce, otp } = begun.body;
    expect(begun.body).toMatchObject({ started: true, required: 3, otp_length: 28, complete: false });
    expect(otp).toHaveLength(28);
    expect((await engine.call('PUT', 'sys/generate-root/attempt', {})).status).toBe(400);
    const wrongNonce = await engine.call('PUT', 'sys/generate-root/update', { key: keys[0], nonce: 'x' });
    expect(wrongNonce.status).toBe(400);
    expect(JSON.stringify(wrongNonce.body)).not.toContain(nonce);
    let last;
    for (const key of keys.slice(0, 3)) {
      last = await engine.call('PUT', 'sys/generate-root/update', { key, nonce });
      if (key === keys[0]) {
        const twice = await engine.call('PUT', 'sys/generate-root/update', { key, nonce });
        expect(twice.body.errors[0]).toMatch(/already been provided/);
      }
    }
    expect(last?.body).toMatchObject({ complete: true, progress: 3, otp: '', otp_length: 0 });
    const token = decode(last?.body.encoded_root_token, otp);
    expect((await engine.call('GET', 'auth/token/lookup-self', undefined, token)).body.data).toMatchObject({
      policies: ['root'],
      orphan: true,
    });
    const decoded = await engine.call(
      'POST',
      'sys/decode-token',
      { encoded_token: last?.body.encoded_token, otp },
      '',
    );
    expect(decoded.body.data.token).toBe(token);
    expect((await engine.call('GET', 'sys/generate-root/attempt')).body).toMatchObject({ started: false });
  });

  test('wrong shares keep the attempt and lose the progress; a root token may expire', async () => {
    const { nonce, otp } = (await engine.call('POST', 'sys/generate-root-token/attempt', { ttl: '5m' })).body
      .data;
    const wrong = keys.slice(0, 3).map((key) => {
      const bytes = Buffer.from(key, 'base64');
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      return bytes.toString('base64');
    });
    let last;
    for (const key of wrong)
      last = await engine.call('POST', 'sys/generate-root-token/update', { key, nonce });
    expect(last?.status).toBe(400);
    expect((await engine.call('GET', 'sys/generate-root-token/attempt')).body.data).toMatchObject({
      started: true,
      progress: 0,
    });
    for (const key of keys.slice(2))
      last = await engine.call('POST', 'sys/generate-root-token/update', { key, nonce });
    const token = decode(last?.body.data.encoded_token, otp);
    expect((await engine.call('GET', 'auth/token/lookup-self', undefined, token)).body.data).toMatchObject({
      ttl: expect.toSatisfy((ttl: number) => ttl > 0 && ttl <= 300),
    });
  });

  test('a PGP key gets the token and nobody else', async () => {
    const pgp = await generateKey({ userIDs: [{ name: 'Grace' }], format: 'armored' });
    const { publicKey, privateKey } = pgp;
    const begun = await engine.call('PUT', 'sys/generate-root/attempt', { pgp_key: publicKey });
    expect(begun.body).toMatchObject({ otp: '' });
    expect(begun.body.pgp_fingerprint).toMatch(/^[0-9a-f]{40}$/);
    let last;
    for (const key of keys.slice(0, 3))
      last = await engine.call('PUT', 'sys/generate-root/update', { key, nonce: begun.body.nonce });
    const message = await readMessage({ binaryMessage: Buffer.from(last?.body.encoded_token, 'base64') });
    const { data } = await decrypt({
      message,
      decryptionKeys: await readPrivateKey({ armoredKey: privateKey }),
    });
    expect((await engine.call('GET', 'auth/token/lookup-self', undefined, String(data))).status).toBe(200);
    const bad = await engine.call('PUT', 'sys/generate-root/attempt', { pgp_key: 'AAAA' });
    expect(bad.status).toBe(400);
  });
});

describe('rekey of the unseal key', () => {
  async function submit(path: string, nonce: string, shares: readonly string[]): Promise<any> {
    let last;
    for (const key of shares) last = await engine.call('PUT', path, { key, nonce });
    return last;
  }

  test('new shares take the place of the old ones', async () => {
    expect((await engine.call('GET', 'sys/rekey/init')).body).toEqual({
      nonce: '',
      started: false,
      t: 0,
      n: 0,
      progress: 0,
      required: 3,
      pgp_fingerprints: null,
      backup: false,
      verification_required: false,
    });
    const begun = await engine.call('PUT', 'sys/rekey/init', { secret_shares: 3, secret_threshold: 2 });
    const done = await submit('sys/rekey/update', begun.body.nonce, keys.slice(0, 3));
    expect(done.body).toMatchObject({ complete: true, verification_required: false, pgp_fingerprints: null });
    const before = keys;
    keys = done.body.keys_base64;
    expect((await engine.call('GET', 'kv/a')).body.data).toEqual({ b: 'c' });
    await engine.call('PUT', 'sys/seal');
    expect(await unsealWith(before.slice(0, 1))).toMatchObject({ t: 2, n: 3 });
    await engine.call('PUT', 'sys/unseal', { reset: true }, '');
    expect(await unsealWith(keys.slice(1))).toMatchObject({ sealed: false });
    expect((await engine.call('GET', 'kv/a')).body.data).toEqual({ b: 'c' });
  });

  test('with verification, the old shares count until the new ones are proven', async () => {
    const begun = await engine.call('POST', 'sys/rotate/root/init', {
      secret_shares: 2,
      secret_threshold: 2,
      require_verification: true,
    });
    const made = await submit('sys/rotate/root/update', begun.body.data.nonce, keys.slice(0, 2));
    const { keys_base64: fresh, verification_nonce: nonce } = made.body.data;
    await engine.reboot();
    expect(await unsealWith(keys.slice(0, 2))).toMatchObject({ sealed: false, t: 2, n: 3 });
    // The restart forgot the attempt: again, and this time to the end, after one try with old shares.
    const second = await engine.call('PUT', 'sys/rekey/init', {
      secret_shares: 2,
      secret_threshold: 2,
      require_verification: true,
    });
    const again = await submit('sys/rekey/update', second.body.nonce, keys.slice(0, 2));
    expect(again.body.verification_nonce).not.toBe(nonce);
    const failed = await submit('sys/rekey/verify', again.body.verification_nonce, keys.slice(0, 2));
    expect(failed.status).toBe(400);
    const { nonce: next } = (await engine.call('GET', 'sys/rekey/verify')).body;
    expect(next).not.toBe(again.body.verification_nonce);
    const verified = await submit('sys/rekey/verify', next, again.body.keys);
    expect(verified.body).toEqual({ nonce: next, complete: true });
    keys = again.body.keys_base64;
    expect(keys).not.toEqual(fresh);
    await engine.reboot();
    expect(await unsealWith(keys)).toMatchObject({ sealed: false, t: 2, n: 2 });
  });

  test('a backup needs PGP keys, is kept for the holders and can be deleted', async () => {
    expect(
      (
        await engine.call('PUT', 'sys/rekey/init', {
          secret_shares: 1,
          secret_threshold: 1,
          backup: true,
        })
      ).body.errors,
    ).toEqual(['cannot request a backup of the new keys without providing PGP keys for encryption']);
    const { publicKey, privateKey } = await generateKey({ userIDs: [{ name: 'Ada' }], format: 'armored' });
    const begun = await engine.call('PUT', 'sys/rekey/init', {
      secret_shares: 1,
      secret_threshold: 1,
      backup: true,
      pgp_keys: [Buffer.from(publicKey).toString('base64')],
    });
    expect(begun.status).toBe(200);
    const [fingerprint] = begun.body.pgp_fingerprints;
    const done = await submit('sys/rekey/update', begun.body.nonce, keys);
    const kept = await engine.call('GET', 'sys/rekey/backup');
    expect(kept.body.data.keys[fingerprint]).toEqual(done.body.keys);
    expect(kept.body.keys_base64[fingerprint]).toEqual(done.body.keys_base64);
    const message = await readMessage({ binaryMessage: Buffer.from(done.body.keys[0], 'hex') });
    const { data } = await decrypt({
      message,
      decryptionKeys: await readPrivateKey({ armoredKey: privateKey }),
    });
    keys = [String(data)];
    await engine.call('PUT', 'sys/seal');
    expect(await unsealWith(keys)).toMatchObject({ sealed: false, t: 1, n: 1 });
    expect((await engine.call('DELETE', 'sys/rekey/backup')).status).toBe(204);
    expect((await engine.call('GET', 'sys/rekey/backup')).status).toBe(400);
  });

  test('the root key rotates under the same shares', async () => {
    expect((await engine.call('POST', 'sys/rotate/root')).status).toBe(204);
    await engine.reboot();
    expect(await unsealWith(keys)).toMatchObject({ sealed: false });
    expect((await engine.call('GET', 'kv/a')).body.data).toEqual({ b: 'c' });
    expect((await engine.call('GET', 'sys/rekey-recovery-key/init')).body.errors).toEqual([
      'recovery rekeying not supported',
    ]);
    for (const key of keys) expect(engine.logLines.join('')).not.toContain(key);
  });
});
