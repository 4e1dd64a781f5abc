import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
let shares: string[] = [];

beforeAll(async () => {
  engine = await TestEngine.start();
});
afterAll(async () => engine.stop());

async function submit(path: string, nonce: string, keys: readonly string[]): Promise<any> {
  let last;
  for (const key of keys) last = await engine.call('PUT', path, { key, nonce });
  return last;
}

test('a vault without recovery shares gets its first ones from whoever administers it', async () => {
  const made = await engine.call('PUT', 'sys/init', { recovery_shares: 0, recovery_threshold: 0 });
  engine.root = made.body.root_token;
  expect((await engine.call('PUT', 'sys/generate-root/attempt', {})).body.errors[0]).toMatch(
    /no recovery key/,
  );
  expect((await engine.call('PUT', 'sys/rekey/init', {})).status).toBe(400);
  const begun = await engine.call('POST', 'sys/rotate/recovery/init', {
    secret_shares: 3,
    secret_threshold: 2,
  });
  expect(begun.body.data).toMatchObject({ complete: true, verification_required: false });
  shares = begun.body.data.keys_base64;
  expect(shares).toHaveLength(3);
  expect((await engine.call('GET', 'sys/seal-status')).body).toMatchObject({ t: 2, n: 3 });
});

test('a quorum of recovery shares makes a root token; a wrong one does not', async () => {
  const { nonce, otp } = (await engine.call('PUT', 'sys/generate-root/attempt', {})).body;
  const wrong = shares.map((share) => {
    const bytes = Buffer.from(share, 'base64');
    bytes[5] = (bytes[5] ?? 0) ^ 1;
    return bytes.toString('base64');
  });
  const refused = await submit('sys/generate-root/update', nonce, wrong.slice(0, 2));
  expect(refused.body.errors[0]).toMatch(/recovery key verification failed/);
  const done = await submit('sys/generate-root/update', nonce, shares.slice(1));
  const bytes = Buffer.from(done.body.encoded_token, 'base64');
  const token = Buffer.from(bytes.map((byte, index) => byte ^ otp.charCodeAt(index))).toString();
  expect((await engine.call('GET', 'auth/token/lookup-self', undefined, token)).body.data.policies).toEqual([
    'root',
  ]);
});

test('the recovery key changes by its old quorum, and the root key behind the HSM without any share', async () => {
  await engine.call('POST', 'sys/mounts/kv', { type: 'kv' });
  await engine.call('PUT', 'kv/a', { b: 'c' });
  const begun = await engine.call('PUT', 'sys/rekey-recovery-key/init', {
    secret_shares: 5,
    secret_threshold: 3,
  });
  const done = await submit('sys/rekey-recovery-key/update', begun.body.nonce, shares.slice(0, 2));
  expect(done.body.keys).toHaveLength(5);
  const old = shares;
  shares = done.body.keys_base64;
  expect((await engine.call('POST', 'sys/rotate/root')).status).toBe(204);
  await engine.restart();
  expect((await engine.call('GET', 'kv/a')).body.data).toEqual({ b: 'c' });
  expect((await engine.call('GET', 'sys/seal-status')).body).toMatchObject({ t: 3, n: 5 });

  expect((await engine.call('PUT', 'sys/rekey/init', { secret_shares: 2, secret_threshold: 2 })).status).toBe(
    400,
  );
  const root = await engine.call('PUT', 'sys/rekey/init', { secret_shares: 1, secret_threshold: 1 });
  const outdated = await submit('sys/rekey/update', root.body.nonce, [...old]);
  expect(outdated.status).toBe(400);
  const rekeyed = await submit('sys/rekey/update', root.body.nonce, shares.slice(2));
  expect(rekeyed.body).toMatchObject({ complete: true, keys: [], keys_base64: [] });
  await engine.restart();
  expect((await engine.call('GET', 'kv/a')).body.data).toEqual({ b: 'c' });
  for (const share of [...old, ...shares]) expect(engine.logLines.join('')).not.toContain(share);
});

test('only one rekey runs, whichever of its two interfaces began it', async () => {
  const begun = await engine.call('PUT', 'sys/rekey-recovery-key/init', {
    secret_shares: 1,
    secret_threshold: 1,
  });
  expect(
    (await engine.call('POST', 'sys/rotate/recovery/init', { secret_shares: 1, secret_threshold: 1 })).status,
  ).toBe(400);
  expect((await engine.call('GET', 'sys/rotate/recovery/init')).body.data.nonce).toBe(begun.body.nonce);
  const cancel = (nonce: string): ReturnType<typeof engine.call> =>
    engine.call('DELETE', 'sys/rekey-recovery-key/init', { nonce });
  expect((await cancel('other')).status).toBe(400);
  expect((await cancel(begun.body.nonce)).status).toBe(204);
  expect((await engine.call('GET', 'sys/rotate/recovery/init')).body.data).toEqual({
    started: false,
    t: 0,
    n: 0,
    required: 3,
  });
});
