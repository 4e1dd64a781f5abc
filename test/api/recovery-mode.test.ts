import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeToken } from '../../src/lib/encoded-token.ts';
import { makeToken } from '../seal/support.ts';
import { EngineProcess } from './support/process.ts';
import { TestEngine } from './support/engine.ts';

const ATTEMPT = 'sys/generate-recovery-token/attempt';
const UPDATE = 'sys/generate-recovery-token/update';

async function recoveryToken(engine: TestEngine, shares: readonly string[]): Promise<string> {
  const begun = await engine.call('PUT', ATTEMPT, {}, '');
  expect(begun.body).toMatchObject({ started: true, required: 2, otp_length: 28, complete: false });
  const { nonce, otp } = begun.body;
  let last;
  for (const key of shares) last = await engine.call('PUT', UPDATE, { key, nonce }, '');
  expect(last?.body).toMatchObject({ complete: true });
  return decodeToken(last?.body.encoded_token, otp) ?? '';
}

describe.each([
  ['an HSM', {}, { recovery_shares: 3, recovery_threshold: 2 }, 'recovery_keys_base64'],
  ['Shamir', { seal: { shamir: {} } }, { secret_shares: 3, secret_threshold: 2 }, 'keys_base64'],
])('recovery mode of a vault behind %s', (_name, seal, counts, field) => {
  let engine: TestEngine;
  let shares: string[] = [];

  beforeAll(async () => {
    engine = await TestEngine.start(seal);
    const made = await engine.call('PUT', 'sys/init', counts, '');
    shares = made.body[field];
    engine.root = made.body.root_token;
    if (field === 'keys_base64')
      for (const key of shares.slice(0, 2)) await engine.call('PUT', 'sys/unseal', { key }, '');
    await engine.call('POST', 'sys/mounts/kv', { type: 'kv' });
    await engine.call('PUT', 'kv/broken', { canary: 'canary-recovery-1' });
    await engine.reconfigure({ ...seal, recovery_mode: true });
  });
  afterAll(async () => engine.stop());

  test('serves status and nothing of the vault', async () => {
    expect((await engine.call('GET', 'sys/seal-status', undefined, '')).body).toMatchObject({
      initialized: true,
      sealed: true,
      t: 2,
      n: 3,
    });
    expect((await engine.call('GET', 'sys/health', undefined, '')).status).toBe(503);
    for (const path of [
      'kv/broken',
      'sys/mounts',
      'sys/unseal',
      'sys/init',
      'auth/token/lookup-self',
      'sys/generate-root/attempt',
    ])
      expect([path, (await engine.call('GET', path)).status]).toEqual([path, 404]);
    expect((await engine.call('PUT', 'sys/unseal', { key: shares[0] }, '')).status).toBe(404);
  });

  test('opens the storage to nobody before there is a recovery token, not even to a root token', async () => {
    for (const token of ['', engine.root, 'hvr.x'])
      expect((await engine.call('LIST', 'sys/raw/logical', undefined, token)).status).toBe(403);
  });

  test('a token is made by the quorum, and wrong shares make none', async () => {
    const { nonce } = (await engine.call('PUT', ATTEMPT, {}, '')).body;
    const wrong = Buffer.from(shares[0] ?? '', 'base64');
    wrong[1] = (wrong[1] ?? 0) ^ 1;
    await engine.call('PUT', UPDATE, { key: shares[1], nonce }, '');
    const refused = await engine.call('PUT', UPDATE, { key: wrong.toString('base64'), nonce }, '');
    expect(refused.status).toBe(400);
    expect((await engine.call('PUT', UPDATE, { nonce }, '')).status).toBe(400);
    expect((await engine.call('GET', ATTEMPT, undefined, '')).body).toMatchObject({
      started: true,
      progress: 0,
    });
    expect((await engine.call('DELETE', ATTEMPT, undefined, '')).status).toBe(204);
    expect((await engine.call('GET', 'sys/health', undefined, '')).status).toBe(503);
  });

  test('its holder reads, repairs and deletes what is behind the barrier; keys stay protected', async () => {
    const token = await recoveryToken(engine, shares.slice(0, 2));
    expect(token).toMatch(/^hvr\.[0-9A-Za-z]{24}$/);
    const call = (method: string, path: string, body?: object) =>
      engine.call(method, `sys/raw/${path}`, body, token);
    expect((await call('LIST', 'sys')).body.data.keys).toContain('token/');
    const [uuid] = (await call('LIST', 'logical')).body.data.keys.filter((key: string) => key.endsWith('/'));
    expect(uuid).toBeTypeOf('string');
    expect((await call('PUT', 'repair/me', { value: 'canary-recovery-2' })).status).toBe(204);
    expect((await call('GET', 'repair/me')).body.data.value).toBe('canary-recovery-2');
    expect((await call('DELETE', 'repair/me')).status).toBe(204);
    expect((await call('GET', 'repair/me')).status).toBe(404);
    expect((await call('GET', 'core/keyring')).status).toBe(400);

    // One token at a time: the next takes the place of this one.
    const next = await recoveryToken(engine, shares.slice(1));
    expect((await call('LIST', 'sys')).status).toBe(403);
    expect((await engine.call('LIST', 'sys/raw/sys', undefined, next)).status).toBe(200);
    expect((await engine.call('PUT', 'sys/raw/repair/marker', { value: 'kept' }, next)).status).toBe(204);

    // Without the mode it is a vault as before, and the token is none.
    await engine.reconfigure({ ...seal, raw_storage_endpoint: true });
    if (field === 'keys_base64')
      for (const key of shares.slice(0, 2)) await engine.call('PUT', 'sys/unseal', { key }, '');
    await engine.active();
    expect((await engine.call('GET', 'kv/broken')).body.data).toEqual({ canary: 'canary-recovery-1' });
    expect((await engine.call('GET', 'sys/raw/repair/marker')).body.data.value).toBe('kept');
    expect((await engine.call('GET', 'sys/raw/repair/marker', undefined, next)).status).toBe(403);
    const logged = engine.logLines.join('');
    for (const canary of [...shares, token, next, 'canary-recovery-1', 'canary-recovery-2'])
      expect(logged).not.toContain(canary);
  });
});

test('the program takes -recovery', async () => {
  const engine = new EngineProcess(makeToken());
  try {
    await engine.start({ flags: ['-recovery'] });
    const answer = await fetch(`${engine.address}/v1/sys/mounts`);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toEqual({ errors: [] });
  } finally {
    await engine.remove();
  }
});
