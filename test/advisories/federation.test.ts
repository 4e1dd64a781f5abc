import { createHash, generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from '../api/support/engine.ts';
import { login, userpass } from './support.ts';

const REDIRECT = 'http://localhost:8250/oidc/callback';
const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
let engine: TestEngine;
let user = '';
beforeAll(async () => {
  engine = await TestEngine.initialized();
  for (const type of ['jwt', 'oidc']) await engine.call('POST', `sys/auth/${type}`, { type });
  await engine.call('POST', 'auth/jwt/config', {
    jwt_validation_pubkeys: keys.publicKey.export({ type: 'spki', format: 'pem' }),
  });
  await userpass(engine, { ann: {} });
  user = (await login(engine, 'ann')).body.auth.client_token;
});
afterAll(() => engine.stop());

const now = (): number => Math.floor(Date.now() / 1000);
const jwt = (claims: object): Promise<string> =>
  new SignJWT({ sub: 'ann', iat: now(), exp: now() + 60, ...claims } as any)
    .setProtectedHeader({ alg: 'RS256' })
    .sign(keys.privateKey);
const enter = async (claims: object): Promise<number> =>
  (await engine.call('POST', 'auth/jwt/login', { role: 'r', jwt: await jwt(claims) }, '')).status;

test('CVE-2024-5798: the audience of a token is one of the role’s, in whatever form it is written', async () => {
  const role = (fields: object) =>
    engine.call('POST', 'auth/jwt/role/r', { role_type: 'jwt', user_claim: 'sub', ...fields });
  await role({ bound_audiences: ['vault', 'other'] });
  for (const aud of [
    'vaul',
    'vault2',
    'vault,other',
    'VAULT',
    ['x'],
    [],
    '',
    ['vaul', 't'],
    { vault: 1 },
    1,
    true,
    null,
    [['vault']],
    [1, 'vault'],
    undefined,
  ])
    expect([aud, await enter({ aud })]).toEqual([aud, 400]);
  for (const aud of ['vault', 'other', ['x', 'vault']])
    expect([aud, await enter({ aud })]).toEqual([aud, 200]);
  await role({ bound_audiences: 'vault' });
  for (const aud of ['vault2', ['vault2'], 'v', ['v', 'a', 'u', 'l', 't']])
    expect([aud, await enter({ aud })]).toEqual([aud, 400]);
  // A role that binds no audience takes no token that is for somebody.
  await role({ bound_audiences: [], bound_subject: 'ann' });
  expect(await enter({ aud: 'somebody' })).toBe(400);
  expect(await enter({})).toBe(200);
});

async function provider(): Promise<void> {
  const put = (path: string, body: object) => engine.call('POST', `identity/oidc/${path}`, body);
  await put('key/k', { algorithm: 'RS256', allowed_client_ids: '*' });
  await put('client/c', {
    key: 'k',
    redirect_uris: ['http://localhost:8250/oidc/callback', `${engine.address}/v1/auth/oidc/oidc/callback`],
    assignments: 'allow_all',
  });
  const client = (await engine.call('GET', 'identity/oidc/client/c')).body.data;
  await put('provider/p', { allowed_client_ids: '*', issuer: engine.address });
  await engine.call('POST', 'auth/oidc/config', {
    oidc_discovery_url: `${engine.address}/v1/identity/oidc/provider/p`,
    oidc_client_id: client.client_id,
    oidc_client_secret: client.client_secret,
  });
  const made = await engine.call('POST', 'auth/oidc/role/direct', {
    user_claim: 'sub',
    callback_mode: 'direct',
    allowed_redirect_uris: [`${engine.address}/v1/auth/oidc/oidc/callback`, REDIRECT],
  });
  expect(made.status).toBe(204);
}

test('CVE-2026-33757: in direct mode the person at the browser confirms, before a client that polls gets a token', async () => {
  await provider();
  const begun = await engine.call(
    'POST',
    'auth/oidc/oidc/auth_url',
    { role: 'direct', redirect_uri: REDIRECT, client_nonce: 'attacker' },
    '',
  );
  const { auth_url, state } = begun.body.data;
  const asked = await engine.call(
    'GET',
    `identity/oidc/provider/p/authorize${new URL(auth_url).search}`,
    undefined,
    user,
  );
  const poll = () => engine.call('POST', 'auth/oidc/oidc/poll', { state, client_nonce: 'attacker' }, '');
  const browse = async (more: string): Promise<[number, string]> => {
    const answer = await fetch(
      `${engine.address}/v1/auth/oidc/oidc/callback?code=${asked.body.code}&state=${state}${more}`,
    );
    return [answer.status, await answer.text()];
  };
  const [status, page] = await browse('');
  expect([status, page]).toEqual([200, expect.stringContaining('name="confirmation"')]);
  // Whom the login is for is shown: the address that asked for it, and the role.
  expect(page).toContain('127.0.0.1');
  expect((await poll()).body.auth).toBeUndefined();
  expect((await browse('&confirmation='))[1]).toContain('name="confirmation"');
  expect((await poll()).body.auth).toBeUndefined();
  await browse('&confirmation=yes');
  expect((await poll()).body.auth.metadata).toEqual({ role: 'direct' });
});

test('CVE-2026-33758: what a provider or an attacker puts into the address is no part of the page', async () => {
  const evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>';
  const begin = async (): Promise<string> =>
    (
      await engine.call(
        'POST',
        'auth/oidc/oidc/auth_url',
        { role: 'direct', redirect_uri: REDIRECT, client_nonce: 'n' },
        '',
      )
    ).body.data.state;
  for (const confirmation of ['', 'yes'])
    for (const query of [
      { error: 'access_denied', error_description: evil },
      { error: evil, error_description: evil },
      { code: evil },
      { code: 'x', extra: evil, [evil]: evil },
    ]) {
      const params = new URLSearchParams({ ...query, state: await begin(), confirmation } as Record<
        string,
        string
      >);
      const answer = await fetch(`${engine.address}/v1/auth/oidc/oidc/callback?${params.toString()}`);
      const page = await answer.text();
      expect(page).not.toMatch(/<script>alert|<img src=x/);
      if (answer.headers.get('content-type')?.includes('html') === true)
        expect(answer.headers.get('content-security-policy')).toMatch(
          /default-src 'none'.*frame-ancestors 'none'/,
        );
    }
});

test('GHSA-2cjw-94fw-wqjx: nobody is sent anywhere but to an address of the client, and no code goes without consent of the caller', async () => {
  const { client_id } = (await engine.call('GET', 'identity/oidc/client/c')).body.data;
  const challenge = createHash('sha256').update('v'.repeat(43)).digest('base64url');
  const ask = (more: object, token: string) =>
    engine.call(
      'GET',
      `identity/oidc/provider/p/authorize?${new URLSearchParams({
        client_id,
        redirect_uri: REDIRECT,
        scope: 'openid',
        response_type: 'code',
        code_challenge: challenge,
        code_challenge_method: 'S256',
        ...more,
      }).toString()}`,
      undefined,
      token,
    );
  for (const redirect_uri of [
    'https://evil.example/',
    `${REDIRECT}.evil.example`,
    `${REDIRECT}/..`,
    `${REDIRECT}@evil.example`,
    'javascript:alert(1)',
    `${REDIRECT}?x=//evil`,
    'http://localhost:8250@evil.example/oidc/callback',
  ])
    for (const prompt of ['none', 'login']) {
      const answer = await ask({ redirect_uri, prompt }, user);
      expect([redirect_uri, answer.status, answer.headers.get('location')]).toEqual([
        redirect_uri,
        400,
        null,
      ]);
    }
  const stranger = await ask({ prompt: 'none' }, '');
  expect([stranger.status, stranger.headers.get('location')]).toEqual([403, null]);
  expect((await ask({}, user)).body.code).toMatch(/./);
});
