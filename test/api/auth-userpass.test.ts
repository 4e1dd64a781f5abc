import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

/** bcrypt of `canary-hash`, made by libxcrypt. */
const HASH = '$2b$06$abcdefghijklmnopqrstuuYfEyNYscWJIfwN7RWcMTFiM8QUnGZcO';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/auth/userpass', { type: 'userpass' });
});
afterAll(async () => engine.stop());

const user = (fields: object, path = 'ann') => engine.call('POST', `auth/userpass/users/${path}`, fields);
const login = (password: string) => engine.call('POST', 'auth/userpass/login/ann', { password }, '');

test('a password may be given by its hash, and by one of both only', async () => {
  expect((await user({ password: 'x', password_hash: HASH })).body.errors).toEqual([
    'only one of password or password_hash may be provided',
  ]);
  expect((await user({ password_hash: 'plain' })).body.errors).toEqual([
    'password_hash must be a bcrypt hash',
  ]);
  expect((await user({ password_hash: HASH.replace('$06$', '$31$') })).status).toBe(400);
  expect((await user({})).body.errors).toEqual(['missing password']);
  expect((await user({ password_hash: HASH, ttl: '5m' })).status).toBe(204);
  const read = await engine.call('GET', 'auth/userpass/users/ann');
  expect(read.body.data).toMatchObject({ token_ttl: 300, ttl: 300 });
  expect(JSON.stringify(read.body)).not.toContain(HASH);
  expect((await login('canary-hash')).status).toBe(200);
  expect((await login('canary-hasH')).body.errors).toEqual(['invalid username or password']);
  expect((await user({ password: 'canary-new' }, 'ann/password')).status).toBe(204);
  expect((await login('canary-new')).status).toBe(200);
  expect((await login('canary-hash')).status).toBe(400);
  expect((await user({ password_hash: HASH }, 'ann/password')).status).toBe(204);
  expect((await user({ token_policies: 'p' })).status).toBe(204);
  expect((await login('canary-hash')).body.auth.policies).toEqual(['default', 'p']);
  expect((await user({}, 'ann/password')).body.errors).toEqual(['missing password']);
  expect((await user({ password: 'x' }, 'nobody/password')).body.errors).toEqual(['username does not exist']);
  expect(engine.logLines.join('')).not.toMatch(/canary-(hash|new)|\$2b\$/);
});
