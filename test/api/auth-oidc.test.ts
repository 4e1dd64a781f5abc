import { createHash, generateKeyPairSync } from 'node:crypto';
import { exportJWK, SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';
import { type Asked, TlsServer, type Told } from './support/tls-server.ts';

const REDIRECT = 'http://localhost:8250/oidc/callback';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/auth/oidc', { type: 'oidc' });
});
afterAll(async () => engine.stop());

const auth = (path: string, body: object) => engine.call('POST', `auth/oidc/${path}`, body, '');
const role = (fields: object, name = 'web') =>
  engine.call('POST', `auth/oidc/role/${name}`, {
    user_claim: 'sub',
    allowed_redirect_uris: REDIRECT,
    token_policies: 'reader',
    ...fields,
  });
const start = async (body: object = {}): Promise<URL> => {
  const answer = await auth('oidc/auth_url', { role: 'web', redirect_uri: REDIRECT, ...body });
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return new URL(answer.body.data.auth_url as string);
};
const callback = (query: Record<string, string>) =>
  engine.call('GET', `auth/oidc/oidc/callback?${new URLSearchParams(query).toString()}`, undefined, '');

describe('with the provider of a vault', () => {
  let user: string;
  let client: { client_id: string; client_secret: string };
  beforeAll(async () => {
    await engine.call('POST', 'sys/auth/userpass', { type: 'userpass' });
    await engine.call('POST', 'auth/userpass/users/ann', { password: 'canary-pw' });
    const login = await engine.call('POST', 'auth/userpass/login/ann', { password: 'canary-pw' }, '');
    user = login.body.auth.client_token;
    const entity = `identity/entity/id/${login.body.auth.entity_id}`;
    await engine.call('POST', entity, { name: 'ann', metadata: { mail: 'a@b.c' } });
    const put = (path: string, body: object) => engine.call('POST', `identity/oidc/${path}`, body);
    await put('key/k', { algorithm: 'RS256', allowed_client_ids: '*' });
    await put('scope/user', {
      template:
        '{"name": {{identity.entity.name}}, "mail": {{identity.entity.metadata.mail}}, "groups": ["g"]}',
    });
    await put('client/c', { key: 'k', redirect_uris: REDIRECT, assignments: 'allow_all' });
    client = (await engine.call('GET', 'identity/oidc/client/c')).body.data;
    await put('provider/p', { allowed_client_ids: '*', scopes_supported: 'user', issuer: engine.address });
    const configured = await engine.call('POST', 'auth/oidc/config', {
      oidc_discovery_url: `${engine.address}/v1/identity/oidc/provider/p`,
      oidc_client_id: client.client_id,
      oidc_client_secret: client.client_secret,
      default_role: 'web',
    });
    expect(configured.status).toBe(204);
    await role({
      oidc_scopes: 'user',
      claim_mappings: { mail: 'email' },
      groups_claim: 'groups',
      user_claim: 'name',
    });
  });

  const authorize = async (url: URL): Promise<{ code: string; state: string }> => {
    const path = `identity/oidc/provider/p/authorize${url.search}`;
    return (await engine.call('GET', path, undefined, user)).body;
  };

  test('the secret is not read back; the URL asks for what the protocol wants', async () => {
    const read = await engine.call('GET', 'auth/oidc/config');
    expect(read.body.data).toMatchObject({ oidc_client_id: client.client_id, status: 'valid' });
    expect(JSON.stringify(read.body)).not.toContain(client.client_secret);
    const url = await start();
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: client.client_id,
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
      nonce: expect.stringMatching(/^n_/),
      redirect_uri: REDIRECT,
      response_type: 'code',
      scope: 'openid user',
      state: expect.stringMatching(/^st_/),
    });
  });

  test('a provider without a page for authorization gets the query alone', async () => {
    await engine.call('POST', 'sys/auth/bare', { type: 'oidc' });
    await engine.call('POST', 'identity/oidc/config', { issuer: engine.address });
    const configured = await engine.call('POST', 'auth/bare/config', {
      oidc_discovery_url: `${engine.address}/v1/identity/oidc`,
      oidc_client_id: 'bare-client',
      oidc_client_secret: 'canary-client-secret',
    });
    expect(configured.status).toBe(204);
    const fields = { user_claim: 'sub', allowed_redirect_uris: REDIRECT };
    await engine.call('POST', 'auth/bare/role/web', fields);
    const body = { role: 'web', redirect_uri: REDIRECT };
    const { auth_url } = (await engine.call('POST', 'auth/bare/oidc/auth_url', body, '')).body.data;
    expect(auth_url).toMatch(/^\?client_id=bare-client&/);
  });

  test('a person who is signed in there gets a token here, once', async () => {
    const { code, state } = await authorize(await start({ client_nonce: 'mine', role: '' }));
    expect((await callback({ code, state: 'st_x' })).body.errors).toEqual([
      'Vault login failed. Expired or missing OAuth state.',
    ]);
    const done = await callback({ code, state, client_nonce: 'mine' });
    expect(done.body.auth).toMatchObject({
      metadata: { email: 'a@b.c', role: 'web' },
      policies: ['default', 'reader'],
    });
    const self = await engine.call('GET', 'auth/token/lookup-self', undefined, done.body.auth.client_token);
    expect(self.body.data.display_name).toBe('oidc-ann');
    expect((await callback({ code, state, client_nonce: 'mine' })).status).toBe(400);
  });

  test('another client’s nonce, a wrong code and a refusal of the provider end the login', async () => {
    const first = await authorize(await start({ client_nonce: 'mine' }));
    expect((await callback({ ...first, client_nonce: 'yours' })).body.errors).toEqual([
      'invalid client_nonce',
    ]);
    expect((await callback({ ...first, client_nonce: 'mine' })).status).toBe(400);
    const second = await authorize(await start());
    expect((await callback({ ...second, code: 'x' })).body.errors[0]).toContain('Error exchanging oidc code');
    const third = await authorize(await start());
    expect((await callback({ state: third.state, error: 'access_denied' })).body.errors).toEqual([
      'Vault login failed. access_denied',
    ]);
    const fourth = await authorize(await start());
    expect((await callback({ state: fourth.state })).body.errors).toEqual([
      'Vault login failed. No code or id_token received.',
    ]);
  });

  test('a browser is sent only where the role allows; on the own machine to any port', async () => {
    const asked = async (redirect_uri: string, name = 'web') =>
      (await auth('oidc/auth_url', { role: name, redirect_uri })).body.data?.auth_url as string;
    expect(await asked('https://evil.example/cb')).toBe('');
    expect(await asked('http://localhost:1/other')).toBe('');
    expect(await asked('http://localhost:9999/oidc/callback')).toContain('localhost%3A9999');
    const withNamespace = new URL(await asked(`${REDIRECT}?namespace=ns1`));
    expect(withNamespace.searchParams.get('state')).toMatch(/^st_\w+,ns=ns1$/);
    expect(withNamespace.searchParams.get('redirect_uri')).toBe(REDIRECT);
    expect((await auth('oidc/auth_url', { role: 'none' })).body.errors).toEqual([
      'role "none" could not be found',
    ]);
    expect((await auth('oidc/auth_url', { role: 'web' })).body.errors).toEqual(['missing redirect_uri']);
    expect((await auth('oidc/callback', { state: 'x' })).status).toBe(405);
  });
});

describe('with a provider that tests what we ask', () => {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  let provider: TlsServer;
  let claims: Record<string, unknown>;
  let told: Record<string, unknown>;
  let jwks: object;
  let nonce: string;
  let challenge: string;
  beforeAll(async () => {
    provider = await TlsServer.start(answer);
    jwks = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k' }] };
  });
  afterAll(async () => provider.stop());
  beforeEach(async () => {
    claims = {};
    told = { access_token: 'canary-access', refresh_token: 'canary-refresh' };
    expect((await configure()).status).toBe(204);
    await engine.call('DELETE', 'auth/oidc/role/web');
    await role({});
  });

  const configure = (more: object = {}) =>
    engine.call('POST', 'auth/oidc/config', {
      oidc_discovery_url: provider.url,
      oidc_discovery_ca_pem: provider.caPem,
      oidc_client_id: 'id',
      oidc_client_secret: 'canary-client-secret',
      ...more,
    });

  function answer({ path, body, authorization }: Asked): Told {
    const at = (name: string): string => `${provider.url}/${name}`;
    switch (path) {
      case '/.well-known/openid-configuration':
        return {
          body: {
            issuer: provider.url,
            authorization_endpoint: at('authorize'),
            device_authorization_endpoint: at('device'),
            jwks_uri: at('jwks'),
            token_endpoint: at('token'),
            userinfo_endpoint: at('userinfo'),
          },
        };
      case '/jwks':
        return { body: jwks };
      case '/userinfo':
        return { body: { sub: authorization === 'Bearer canary-access' ? 'ann' : 'eve', email: 'a@b.c' } };
      case '/device':
        return {
          body: {
            device_code: 'canary-device',
            user_code: 'ABCD',
            verification_uri: at('enter'),
            interval: 7,
          },
        };
      case '/token': {
        const form = new URLSearchParams(body);
        const verifier = form.get('code_verifier');
        if (verifier !== null && createHash('sha256').update(verifier).digest('base64url') !== challenge)
          return { status: 400, body: { error: 'invalid_grant' } };
        return told['error'] === undefined ? { body: told } : { status: 400, body: told };
      }
      default:
        return { status: 404, body: {} };
    }
  }

  async function idToken(more: object = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({
      iss: provider.url,
      aud: 'id',
      sub: 'ann',
      nonce,
      iat: now,
      exp: now + 60,
      ...claims,
      ...more,
    })
      .setProtectedHeader({ alg: 'RS256', kid: 'k' })
      .sign(keys.privateKey);
  }

  async function attempt(more: object = {}): Promise<Awaited<ReturnType<typeof callback>>> {
    const url = await start();
    nonce = url.searchParams.get('nonce') ?? '';
    challenge = url.searchParams.get('code_challenge') ?? '';
    told['id_token'] = await idToken(more);
    return callback({ code: 'c', state: url.searchParams.get('state') ?? '' });
  }

  test('userinfo is merged in; tokens are metadata only where asked for', async () => {
    await role({ claim_mappings: { email: 'mail' } });
    expect((await attempt()).body.auth.metadata).toEqual({ mail: 'a@b.c', role: 'web' });
    const asked = provider.asked.find(({ path }) => path === '/token');
    expect(asked?.authorization).toBe(`Basic ${btoa('id:canary-client-secret')}`);
    await role({ oauth2_metadata: 'refresh_token' });
    expect((await attempt()).body.auth.metadata).toMatchObject({ oauth2_refresh_token: 'canary-refresh' });
    expect((await attempt({ sub: 'bob' })).body.auth.metadata.mail).toBeUndefined();
  });

  test('an ID token of another login, client, issuer or time is refused', async () => {
    for (const wrong of [
      { nonce: 'x' },
      { nonce: undefined },
      { aud: 'else' },
      { aud: ['id', 'else'] },
      { iss: 'https://else' },
      { exp: 1000 },
      { exp: undefined },
      { at_hash: 'AAAA' },
    ]) {
      const refused = await attempt(wrong);
      expect([refused.status, refused.body.errors[0]]).toEqual([
        400,
        expect.stringMatching(/^Token verification failed\. /),
      ]);
    }
    expect((await attempt({ aud: ['id', 'else'], azp: 'id' })).status).toBe(200);
    await role({ bound_subject: 'bob' });
    expect((await attempt()).body.errors).toEqual([
      'Vault login failed. sub claim does not match bound subject',
    ]);
    await role({ bound_subject: '', bound_claims: { email: 'x' } });
    expect((await attempt()).body.errors[0]).toContain('error validating claims');
    await role({ bound_claims: {}, max_age: 60 });
    expect((await attempt({ auth_time: 1000 })).status).toBe(400);
    expect((await attempt({ auth_time: Math.floor(Date.now() / 1000) })).status).toBe(200);
    challenge = 'x';
  });

  test('a form brings an ID token to this vault, and its client fetches the result', async () => {
    await configure({ oidc_response_mode: 'form_post', oidc_response_types: 'id_token' });
    await role({ allowed_redirect_uris: 'https://vault.example/ui/vault/auth/oidc/oidc/callback' });
    const url = await start({ redirect_uri: 'https://vault.example/ui/vault/auth/oidc/oidc/callback' });
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      redirect_uri: 'https://vault.example/v1/auth/oidc/oidc/callback',
      response_mode: 'form_post',
      response_type: 'id_token',
    });
    nonce = url.searchParams.get('nonce') ?? '';
    const state = url.searchParams.get('state') ?? '';
    const post = (fields: Record<string, string>) =>
      fetch(`${engine.address}/v1/auth/oidc/oidc/callback`, {
        method: 'POST',
        body: new URLSearchParams(fields),
      });
    const lost = await post({ state: '"><script>', id_token: 'x' });
    expect([lost.status, await lost.text()]).toEqual([400, expect.not.stringContaining('<script>')]);
    const page = await post({ state, id_token: await idToken() });
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(await page.text()).toContain(`/ui/vault/auth/oidc/oidc/callback?code=no_code&#38;state=${state}`);
    expect((await callback({ code: 'no_code', state })).body.auth.policies).toEqual(['default', 'reader']);
  });

  test('a browser that comes here directly confirms; its client polls', async () => {
    await role({ callback_mode: 'direct', poll_interval: 2 });
    expect((await auth('oidc/auth_url', { role: 'web', redirect_uri: REDIRECT })).body.errors).toEqual([
      'missing client_nonce',
    ]);
    const begun = await auth('oidc/auth_url', { role: 'web', redirect_uri: REDIRECT, client_nonce: 'cn' });
    const { auth_url, state, poll_interval } = begun.body.data;
    const url = new URL(auth_url);
    nonce = url.searchParams.get('nonce') ?? '';
    challenge = url.searchParams.get('code_challenge') ?? '';
    told['id_token'] = await idToken();
    expect(poll_interval).toBe('2');
    const poll = (client_nonce = 'cn') => auth('oidc/poll', { state, client_nonce });
    expect((await poll()).body.errors).toEqual(['authorization_pending']);
    const browser = async (more: string) => {
      const answer = await fetch(`${engine.address}/v1/auth/oidc/oidc/callback?code=c&state=${state}${more}`);
      return [answer.status, await answer.text()] as const;
    };
    expect((await browser(''))[1]).toContain('name="confirmation"');
    expect((await poll()).body.errors).toEqual(['authorization_pending']);
    expect((await browser('&confirmation=yes'))[0]).toBe(200);
    expect((await poll()).body.auth.metadata).toEqual({ role: 'web' });
    expect((await poll()).status).toBe(400);
  });

  test('a person enters a code on another device', async () => {
    await role({ callback_mode: 'device' });
    const begun = await auth('oidc/auth_url', { role: 'web', client_nonce: 'cn' });
    expect(begun.body.data).toEqual({
      auth_url: `${provider.url}/enter`,
      poll_interval: '7',
      state: expect.stringMatching(/^st_/),
      user_code: 'ABCD',
    });
    const poll = () => auth('oidc/poll', { state: begun.body.data.state, client_nonce: 'cn' });
    told = { error: 'authorization_pending' };
    expect((await poll()).body.errors).toEqual(['authorization_pending']);
    nonce = '';
    told = { id_token: await idToken({ nonce: undefined }), access_token: 'canary-access' };
    expect((await poll()).body.auth.policies).toEqual(['default', 'reader']);
    const form = new URLSearchParams(provider.asked.findLast(({ path }) => path === '/token')?.body);
    expect(form.get('device_code')).toBe('canary-device');
    const again = await auth('oidc/auth_url', { role: 'web', client_nonce: 'cn' });
    told = { error: 'expired_token' };
    const ended = await auth('oidc/poll', { state: again.body.data.state, client_nonce: 'cn' });
    expect(ended.body.errors).toEqual(['authorization failed: expired_token']);
  });

  test('nothing of it is in the log', () => {
    expect(engine.logLines.join('')).not.toMatch(/canary-(pw|access|refresh|client|device)|eyJ[\w-]+\.eyJ/);
  });
});
