import { renameSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { children } from '../seal/support.ts';
import { TestEngine } from './support/engine.ts';

const ENTROPY = { entropy: { seal: { mode: 'augmentation' } } };
const NO_RANDOMNESS = 'the seal gave no randomness, so nothing was generated';
let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.initialized(ENTROPY);
  await engine.active();
});
afterAll(async () => engine.stop());

test('a mount may use the entropy of the seal, and makes keys of every type with it', async () => {
  const mounted = await engine.call('POST', 'sys/mounts/transit', {
    type: 'transit',
    external_entropy_access: true,
  });
  expect(mounted.status).toBe(204);
  expect((await engine.call('GET', 'sys/mounts/transit')).body.data.external_entropy_access).toBe(true);
  for (const type of ['aes256-gcm96', 'ecdsa-p256', 'ed25519', 'rsa-2048', 'hmac']) {
    const made = await engine.call('POST', `transit/keys/${type}`, {
      type,
      ...(type === 'hmac' ? { key_size: 32 } : {}),
    });
    expect([type, made.status]).toEqual([type, 200]);
  }
  const plaintext = Buffer.from('canary-plaintext').toString('base64');
  const { ciphertext } = (await engine.call('POST', 'transit/encrypt/aes256-gcm96', { plaintext })).body.data;
  expect(
    (await engine.call('POST', 'transit/decrypt/aes256-gcm96', { ciphertext })).body.data.plaintext,
  ).toBe(plaintext);
  const input = plaintext;
  for (const type of ['ecdsa-p256', 'ed25519', 'rsa-2048']) {
    const { signature } = (await engine.call('POST', `transit/sign/${type}`, { input })).body.data;
    expect((await engine.call('POST', `transit/verify/${type}`, { input, signature })).body.data.valid).toBe(
      true,
    );
  }
});

test('tools/random gives bytes of the seal, of the platform, or of both', async () => {
  for (const source of ['platform', 'seal', 'all']) {
    const { body } = await engine.call('POST', `sys/tools/random/${source}/64`);
    expect([source, Buffer.from(body.data.random_bytes, 'base64').length, body.warnings]).toEqual([
      source,
      64,
      null,
    ]);
  }
});

test('root tokens, root keys and data keys are made with it', async () => {
  expect((await engine.call('POST', 'sys/rotate')).status).toBe(204);
  expect((await engine.call('POST', 'sys/rotate/root')).status).toBe(204);
  const made = await engine.call('POST', 'auth/token/create', { policies: ['root'] });
  expect(made.body.auth.client_token).toMatch(/^hvs\.[0-9A-Za-z]{24}$/);
});

test('without the HSM they fail clearly, and what needs no new key goes on', async () => {
  renameSync(engine.token.tokens, `${engine.token.tokens}-gone`);
  for (const pid of children()) process.kill(pid, 'SIGKILL');
  let refused;
  for (let tries = 0; tries < 200 && refused === undefined; tries += 1) {
    const answer = await engine.call('POST', 'auth/token/create', { policies: ['root'] });
    if (answer.status !== 200) refused = answer;
  }
  expect([refused?.status, refused?.body.errors]).toEqual([500, [NO_RANDOMNESS]]);
  const key = await engine.call('POST', 'transit/keys/late');
  expect([key.status, key.body.errors]).toEqual([500, [NO_RANDOMNESS]]);
  expect((await engine.call('GET', 'transit/keys/late')).status).toBe(404);
  expect((await engine.call('POST', 'sys/rotate')).status).toBe(500);
  const other = await engine.call('POST', 'auth/token/create', { policies: ['default'] });
  expect(other.status).toBe(200);
  expect((await engine.call('POST', 'sys/tools/random/seal/8')).status).toBe(500);

  renameSync(`${engine.token.tokens}-gone`, engine.token.tokens);
  let made;
  for (let tries = 0; tries < 100 && made?.status !== 200; tries += 1) {
    made = await engine.call('POST', 'transit/keys/late');
    if (made.status !== 200) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(made?.status).toBe(200);
  expect(engine.logLines.join('')).not.toContain('canary-plaintext');
});
