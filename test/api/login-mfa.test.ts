import { createSecretKey } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeBase32 } from '../../src/lib/totp/base32.ts';
import { codeAt } from '../../src/lib/totp/code.ts';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
let method = '';
let url = '';

beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/auth/userpass', { type: 'userpass' });
  await engine.call('POST', 'auth/userpass/users/ann', { password: 'canary-pw' });
  const first = await login();
  method = (await engine.call('POST', 'identity/mfa/method/totp', { issuer: 'Vault', method_name: 'phone' }))
    .body.data.method_id;
  const made = await engine.call('POST', 'identity/mfa/method/totp/admin-generate', {
    method_id: method,
    entity_id: first.body.auth.entity_id,
  });
  url = made.body.data.url;
  const { accessor } = (await engine.call('GET', 'sys/auth')).body.data['userpass/'];
  expect(
    (
      await engine.call('POST', 'identity/mfa/login-enforcement/all', {
        mfa_method_ids: [method],
        auth_method_accessors: [accessor],
      })
    ).status,
  ).toBe(204);
});
afterAll(async () => engine.stop());

const login = (headers: Record<string, string> = {}): ReturnType<TestEngine['call']> =>
  engine.call('POST', 'auth/userpass/login/ann', { password: 'canary-pw' }, '', headers);

function code(seconds: number): string {
  const bytes = decodeBase32(new URL(url).searchParams.get('secret') ?? '');
  if (typeof bytes === 'number') throw new Error('not base32');
  return codeAt(createSecretKey(bytes), { algorithm: 'SHA1', digits: 6, period: 30 }, seconds);
}

test('a password alone gives no token, but what is still needed', async () => {
  const { status, body } = await login();
  expect(status).toBe(200);
  expect(body.auth.client_token).toBe('');
  expect(body.auth.mfa_requirement.mfa_constraints).toEqual({
    all: { any: [{ type: 'totp', id: method, uses_passcode: true, name: 'phone' }] },
  });
  expect(body.warnings[0]).toMatch(/MFA validation/);
});

test('the second request gives the token, once, and only for a right code', async () => {
  const { mfa_request_id: id } = (await login()).body.auth.mfa_requirement;
  const validate = (passcode: string): ReturnType<TestEngine['call']> =>
    engine.call(
      'POST',
      'sys/mfa/validate',
      { mfa_request_id: id, mfa_payload: { [method]: [passcode] } },
      '',
    );
  const wrong = await validate('000000');
  expect(wrong.status).toBe(403);
  expect(wrong.body.errors[0]).toMatch(/^failed to satisfy enforcement all/);
  const right = await validate(code(Date.now() / 1000));
  expect(right.body.auth.metadata).toEqual({ username: 'ann' });
  expect(
    (await engine.call('GET', 'auth/token/lookup-self', undefined, right.body.auth.client_token)).status,
  ).toBe(200);
  expect((await validate(code(Date.now() / 1000 + 30))).status).toBe(400);
});

test('the header does it in one request, by the name of the method', async () => {
  expect((await login({ 'X-Vault-MFA': 'phone:000000' })).status).toBe(403);
  expect((await login({ 'X-Vault-MFA': 'other:123456' })).status).toBe(403);
  const answer = await login({ 'X-Vault-MFA': `phone:${code(Date.now() / 1000 + 30)}` });
  expect(answer.body.auth.client_token).toMatch(/^hvs\./);
  expect(engine.logLines.join('')).not.toContain('canary-pw');
});

test('user and entity are judged again with the second factor', async () => {
  await engine.call('POST', 'auth/userpass/users/zoe', { password: 'canary-pw' });
  const begin = async (): Promise<string> =>
    (await engine.call('POST', 'auth/userpass/login/zoe', { password: 'canary-pw' }, '')).body.auth
      .mfa_requirement.mfa_request_id;
  const first = await begin();
  expect(first).toMatch(/^[0-9a-f-]{36}$/);
  const { data } = (await engine.call('GET', 'identity/entity/name?list=true')).body;
  const aliases = (await engine.call('LIST', 'identity/entity-alias/id')).body.data.key_info;
  const alias: any = Object.values(aliases).find((each: any) => each.name === 'zoe');
  const entity: string = alias.canonical_id;
  expect(data.keys.length).toBeGreaterThan(1);
  const made = await engine.call('POST', 'identity/mfa/method/totp/admin-generate', {
    method_id: method,
    entity_id: entity,
  });
  const secret = decodeBase32(new URL(made.body.data.url).searchParams.get('secret') ?? '');
  if (typeof secret === 'number') throw new Error('not base32');
  let at = Math.floor(Date.now() / 1000) - 30;
  // Each code counts once: every try takes another moment of what is accepted.
  const validate = (id: string): ReturnType<TestEngine['call']> => {
    const passcode = codeAt(createSecretKey(secret), { algorithm: 'SHA1', digits: 6, period: 30 }, at);
    at += 30;
    return engine.call(
      'POST',
      'sys/mfa/validate',
      { mfa_request_id: id, mfa_payload: { [method]: [passcode] } },
      '',
    );
  };
  const disabled = await begin();
  const deleted = await begin();
  await engine.call('POST', `identity/entity/id/${entity}`, { disabled: true });
  expect((await validate(disabled)).status).toBe(403);
  await engine.call('POST', `identity/entity/id/${entity}`, { disabled: false });
  await engine.call('DELETE', 'auth/userpass/users/zoe');
  expect((await validate(deleted)).status).toBe(403);
  await engine.call('POST', 'auth/userpass/users/zoe', { password: 'canary-pw' });
  const good = await begin();
  expect((await validate(good)).body.auth.client_token).toMatch(/^hvs\./);
});
