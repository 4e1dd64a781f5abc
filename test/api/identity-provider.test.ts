import { createHash } from 'node:crypto';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { beforeEach, describe, expect, test } from 'vitest';
import { saveEntity } from '../../src/engine/identity/entities.ts';
import { saveGroup } from '../../src/engine/identity/groups.ts';
import { ISSUER, TestBackend } from './support/identity.ts';

const REDIRECT = 'https://app.example/callback';
const issuer = `${ISSUER}/v1/identity/oidc/provider/p`;
const verifier = 'v'.repeat(43);

let vault: TestBackend;
let entityId: string;
let client: { client_id: string; client_secret: string };
const put = (path: string, body: object = {}) => vault.call('update', `oidc/${path}`, body as any);
const get = (path: string) => vault.call('read', `oidc/${path}`);
const refused = async (answer: Promise<any>) => (await answer).errors[0] as string;
const ask = (more: object = {}, caller = entityId, provider = 'p') =>
  vault.call(
    'update',
    `oidc/provider/${provider}/authorize`,
    {
      client_id: client.client_id,
      redirect_uri: REDIRECT,
      scope: 'openid',
      response_type: 'code',
      ...more,
    } as any,
    caller,
  );
const exchange = (code: string, more: object = {}, provider = 'p') =>
  put(`provider/${provider}/token`, {
    ...client,
    grant_type: 'authorization_code',
    code,
    redirect_uri: REDIRECT,
    ...more,
  });
const userinfo = async (tokenText: string, provider = 'p') =>
  vault.call('read', `oidc/provider/${provider}/userinfo`, {}, '', { token: undefined, tokenText });
const hash = (text: string) => createHash('sha256').update(text).digest();

beforeEach(async () => {
  vault = new TestBackend();
  entityId = (await vault.login('ann')).id;
  await saveEntity(vault.identity.records, { id: entityId, name: 'Ann', metadata: { mail: 'a@b.c' } });
  await put('key/k', { algorithm: 'ES256', allowed_client_ids: '*' });
  await put('scope/mail', { template: '{"mail": {{identity.entity.metadata.mail}}}', description: 'd' });
  await put('scope/user', { template: '{"name": {{identity.entity.name}}}' });
  await put('assignment/a', { entity_ids: entityId });
  await put('client/c', { key: 'k', redirect_uris: REDIRECT, assignments: 'a', access_token_ttl: '1h' });
  const { client_id, client_secret } = (await get('client/c')).data;
  client = { client_id, client_secret };
  await put('provider/p', { allowed_client_ids: client_id, scopes_supported: 'mail,user' });
});

describe('signing in', () => {
  test('a code becomes tokens that another implementation verifies, and claims', async () => {
    const asked = await ask({ scope: 'openid mail unknown', state: 's', nonce: 'n', max_age: 2e9 });
    expect(asked).toEqual({ kind: 'raw', status: 200, body: { code: expect.any(String), state: 's' } });
    const { code } = asked.body;
    const { body } = await exchange(code);
    expect(body).toEqual({
      access_token: expect.any(String),
      expires_in: 3600,
      id_token: expect.any(String),
      token_type: 'Bearer',
    });
    const keys = createLocalJWKSet((await get('provider/p/.well-known/keys')).body);
    const { payload } = await jwtVerify(body.id_token, keys, { issuer, audience: client.client_id });
    expect(payload).toMatchObject({
      sub: entityId,
      nonce: 'n',
      mail: 'a@b.c',
      auth_time: 1,
      at_hash: hash(body.access_token).subarray(0, 16).toString('base64url'),
      c_hash: hash(code).subarray(0, 16).toString('base64url'),
    });
    expect(payload['name']).toBe(undefined);
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(86_400);
    expect((await userinfo(body.access_token)).body).toEqual({ sub: entityId, mail: 'a@b.c' });
    // Neither the code again, nor an ID token in place of an access token.
    expect(await exchange(code)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
    expect(await userinfo(body.id_token)).toMatchObject({ status: 401, body: { error: 'invalid_token' } });
    await put('provider/q', { allowed_client_ids: '*' });
    expect((await userinfo(body.access_token, 'q')).status).toBe(401);
    vault.ahead = 3_601_000;
    expect((await userinfo(body.access_token)).body.error_description).toBe('access token is expired');
  });

  test('a public client needs PKCE and has no secret', async () => {
    await put('client/pub', {
      client_type: 'public',
      key: 'k',
      redirect_uris: REDIRECT,
      assignments: 'allow_all',
    });
    const { data } = await get('client/pub');
    expect(data.client_secret).toBe(undefined);
    client = { client_id: data.client_id, client_secret: '' };
    const S256 = hash(verifier).toString('base64url');
    const pkce = { code_challenge: S256, code_challenge_method: 'S256' };
    expect((await ask({}, entityId, 'default')).body.error_description).toBe(
      'PKCE is required for public clients',
    );
    for (const [more, message] of [
      [{ ...pkce, code_challenge_method: 'S1' }, 'invalid code_challenge_method'],
      [{ code_challenge: 'short' }, 'invalid code_challenge'],
    ] as const)
      expect((await ask(more, entityId, 'default')).body.error_description).toBe(message);
    for (const [code_verifier, message] of [
      ['', 'expected code_verifier for token exchange'],
      ['x'.repeat(43), 'invalid code_verifier for token exchange'],
      [verifier, undefined],
    ] as const) {
      const { code } = (await ask(pkce, entityId, 'default')).body;
      const { body } = await exchange(code, { code_verifier }, 'default');
      expect(body.error_description).toBe(message);
      expect(typeof body.id_token).toBe(message === undefined ? 'string' : 'undefined');
    }
    const plain = (await ask({ code_challenge: verifier }, entityId, 'default')).body.code;
    expect((await exchange(plain, { code_verifier: verifier }, 'default')).status).toBe(200);
  });

  test('what is asked wrongly is refused', async () => {
    await put('client/other', { key: 'k', redirect_uris: REDIRECT, assignments: 'allow_all' });
    const other = (await get('client/other')).data.client_id;
    const stranger = (await vault.login('bob')).id;
    for (const [answer, error, message] of [
      [ask({ client_id: '' }), 'invalid_client_id', 'client_id parameter is required'],
      [ask({ client_id: 'x' }), 'invalid_client_id', 'client with client_id not found'],
      [ask({ redirect_uri: '' }), 'invalid_request', 'redirect_uri parameter is required'],
      [
        ask({ redirect_uri: `${REDIRECT}/x` }),
        'invalid_redirect_uri',
        'redirect_uri is not allowed for the client',
      ],
      [ask({}, entityId, 'none'), 'invalid_request', 'provider not found'],
      [ask({ client_id: other }), 'unauthorized_client', 'client is not authorized to use the provider'],
      [ask({ request: 'x' }), 'request_not_supported', 'request parameter is not supported'],
      [ask({ request_uri: 'x' }), 'request_uri_not_supported', 'request_uri parameter is not supported'],
      [ask({ scope: 'mail' }), 'invalid_request', 'scope parameter must contain the "openid" value'],
      [ask({ response_type: '' }), 'invalid_request', 'response_type parameter is required'],
      [ask({ response_type: 'token' }), 'unsupported_response_type', 'unsupported response_type value'],
      [ask({}, ''), 'access_denied', 'identity entity must be associated with the request'],
      [ask({}, stranger), 'access_denied', 'identity entity not authorized by client assignment'],
      [ask({ max_age: 0 }), 'invalid_request', 'max_age must be greater than zero'],
      [ask({ max_age: 5 }), 'max_age_violation', 'active re-authentication is required by max_age'],
    ] as const) {
      const { status, body } = await answer;
      expect([status, body]).toEqual([400, { error, error_description: message, state: '' }]);
    }
  });

  test('what is exchanged wrongly is refused', async () => {
    const code = async () => (await ask()).body.code as string;
    for (const [answer, status, message] of [
      [exchange('x', {}, 'none'), 400, 'provider not found'],
      [exchange('x', { client_id: '' }), 400, 'client_id parameter is required'],
      [exchange('x', { client_id: 'x' }), 401, 'client failed to authenticate'],
      [exchange('x', { client_secret: 'x' }), 401, 'client failed to authenticate'],
      [exchange('x', { grant_type: '' }), 400, 'unsupported grant_type or parameter is empty value'],
      [
        exchange('x', { grant_type: 'client_credentials' }),
        400,
        'client is not authorized to use given credentials flow',
      ],
      [exchange(''), 400, 'code parameter is required'],
      [exchange('x'), 400, 'authorization grant is invalid or expired'],
      [exchange(await code(), { redirect_uri: '' }), 400, 'redirect_uri parameter is required'],
      [exchange(await code(), { code_verifier: 'x' }), 400, 'unexpected code_verifier for token exchange'],
    ] as const) {
      const answered = await answer;
      expect([answered.status, answered.body.error_description]).toEqual([status, message]);
    }
    const late = await code();
    vault.ahead = 301_000;
    expect((await exchange(late)).body.error_description).toBe('authorization grant is invalid or expired');
    const disabled = await code();
    await saveEntity(vault.identity.records, { id: entityId, disabled: true });
    expect((await exchange(disabled)).body.error_description).toBe(
      'identity entity not authorized by client assignment',
    );
  });

  test('a client by itself, by Basic authentication', async () => {
    await put('client/c', { client_credentials: true, authorization_code: false });
    const credentials = { user: client.client_id, secret: client.client_secret };
    const body = { grant_type: 'client_credentials', scope: 'openid user' };
    const call = (more: object) =>
      vault.call('update', 'oidc/provider/p/token', body, '', { token: undefined, ...more });
    const { access_token } = (await call({ credentials })).body;
    const keys = createLocalJWKSet((await get('provider/p/.well-known/keys')).body);
    expect((await jwtVerify(access_token, keys, { issuer })).payload.sub).toBe(client.client_id);
    expect((await userinfo(access_token)).status).toBe(401);
    expect((await call({ credentials: { ...credentials, secret: 'x' } })).status).toBe(401);
    expect((await ask()).body.error).toBe('invalid_grant');
  });

  test('groups are assigned too, and what changes meanwhile counts', async () => {
    const { id } = await vault.login('bob');
    const saved = await saveGroup(vault.identity.records, undefined, { name: 'g', memberEntityIds: [id] });
    const group = 'group' in saved ? saved.group.id : '';
    await put('assignment/a', { group_ids: group, entity_ids: [] });
    expect((await ask({}, entityId)).body.error).toBe('access_denied');
    const { access_token } = (await exchange((await ask({}, id)).body.code)).body;
    expect((await userinfo(access_token)).body).toEqual({ sub: id });
    await put('assignment/a', { group_ids: [] });
    expect((await userinfo(access_token)).status).toBe(403);
    expect((await userinfo('')).status).toBe(403);
    expect((await userinfo('hvs.x')).status).toBe(401);
  });

  test('a program on the own machine may choose its port', async () => {
    await put('client/c', { redirect_uris: ['http://127.0.0.1/cb', 'http://app.example:1/cb'] });
    expect((await ask({ redirect_uri: 'http://127.0.0.1:5555/cb' })).status).toBe(200);
    expect((await ask({ redirect_uri: 'http://127.0.0.1:5555/other' })).status).toBe(400);
    expect((await ask({ redirect_uri: 'http://app.example:2/cb' })).status).toBe(400);
  });
});

describe('configuration', () => {
  test('is read and listed', async () => {
    expect((await get('scope/mail')).data).toEqual({
      description: 'd',
      template: '{"mail": {{identity.entity.metadata.mail}}}',
    });
    expect((await get('assignment/a')).data).toEqual({ entity_ids: [entityId], group_ids: [] });
    expect((await get('assignment/allow_all')).data).toEqual({ entity_ids: ['*'], group_ids: ['*'] });
    const shown = {
      access_token_ttl: 3600,
      assignments: ['a'],
      authorization_code: true,
      client_credentials: false,
      client_id: expect.stringMatching(/^[0-9A-Za-z]{32}$/),
      client_type: 'confidential',
      id_token_ttl: 86_400,
      key: 'k',
      redirect_uris: [REDIRECT],
    };
    expect((await get('client/c')).data).toEqual({
      ...shown,
      client_secret: expect.stringMatching(/^hvo_secret_[0-9A-Za-z]{64}$/),
    });
    const list = async (kind: string, body = {}) => (await vault.call('list', `oidc/${kind}`, body)).data;
    expect(await list('client')).toEqual({ keys: ['c'], key_info: { c: shown } });
    expect(await list('scope')).toEqual({ keys: ['mail', 'user'] });
    expect(await list('assignment')).toEqual({ keys: ['a', 'allow_all'] });
    expect((await get('provider/default')).data).toEqual({
      allowed_client_ids: ['*'],
      issuer: `${ISSUER}/v1/identity/oidc/provider/default`,
      scopes_supported: [],
    });
    expect((await list('provider')).keys).toEqual(['default', 'p']);
    expect((await list('provider', { allowed_client_id: 'x' })).keys).toEqual(['default']);
    expect((await get('provider/p/.well-known/openid-configuration')).body).toMatchObject({
      issuer,
      token_endpoint: `${issuer}/token`,
      userinfo_endpoint: `${issuer}/userinfo`,
      authorization_endpoint: `${ISSUER}/ui/vault/identity/oidc/provider/p/authorize`,
      scopes_supported: ['mail', 'user', 'openid'],
    });
    for (const kind of ['client', 'scope', 'assignment', 'provider'])
      expect((await get(`${kind}/none`)).status).toBe(404);
  });

  test('what cannot be is refused, and what is in use stays', async () => {
    for (const [answer, message] of [
      [put('scope/openid'), 'the "openid" scope name is reserved'],
      [put('assignment/allow_all'), 'modification of assignment "allow_all" not allowed'],
      [put('client/x', { assignments: 'none' }), 'assignment "none" does not exist'],
      [put('client/x', { key: 'none' }), 'key "none" does not exist'],
      [put('client/x', { client_type: 'odd' }), 'invalid client_type "odd"'],
      [put('client/c', { key: 'default' }), 'key modification is not allowed'],
      [put('client/c', { client_type: 'public' }), 'client_type modification is not allowed'],
      [
        put('client/c', { id_token_ttl: '25h' }),
        "a client's id_token_ttl cannot be greater than the verification_ttl of the key it references",
      ],
      [put('provider/p', { scopes_supported: 'none' }), 'scope "none" does not exist'],
      [vault.call('delete', 'oidc/provider/default'), 'deletion of OIDC provider "default" not allowed'],
      [vault.call('delete', 'oidc/assignment/allow_all'), 'deletion of assignment "allow_all" not allowed'],
      [
        vault.call('delete', 'oidc/scope/mail'),
        'unable to delete scope "mail" because it is currently referenced by these providers: p',
      ],
      [
        vault.call('delete', 'oidc/assignment/a'),
        'unable to delete assignment "a" because it is currently referenced by these clients: c',
      ],
      [
        vault.call('delete', 'oidc/key/k'),
        'unable to delete key "k" because it is currently referenced by these clients: c',
      ],
    ] as const)
      expect(await refused(answer)).toBe(message);
    for (const path of ['provider/p', 'client/c', 'scope/mail', 'assignment/a', 'key/k'])
      expect(await vault.call('delete', `oidc/${path}`), path).toEqual({ kind: 'empty' });
  });
});
