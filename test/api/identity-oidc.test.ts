import { createLocalJWKSet, jwtVerify } from 'jose';
import { beforeEach, describe, expect, test } from 'vitest';
import { saveEntity } from '../../src/engine/identity/entities.ts';
import { saveGroup } from '../../src/engine/identity/groups.ts';
import { ISSUER, TestBackend } from './support/identity.ts';

let vault: TestBackend;
beforeEach(() => {
  vault = new TestBackend();
});

const put = (path: string, body: object = {}) => vault.call('update', `oidc/${path}`, body as any);
const get = (path: string, entityId = '') => vault.call('read', `oidc/${path}`, {}, entityId);
const refused = async (answer: Promise<any>) => (await answer).errors[0] as string;
const jwks = async () => (await get('.well-known/keys')).body;
const verify = async (token: string, more: object = {}) =>
  (await jwtVerify(token, createLocalJWKSet(await jwks()), { issuer: `${ISSUER}/v1/identity/oidc`, ...more }))
    .payload;
const introspect = async (token: string, client_id = '') =>
  (await put('introspect', { token, client_id })).body;

describe('tokens', () => {
  test.each(['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'EdDSA'])(
    '%s is verified by another implementation',
    async (algorithm) => {
      const { id } = await vault.login('ann');
      expect(await put('key/k', { algorithm, allowed_client_ids: '*' })).toEqual({ kind: 'empty' });
      expect(await put('role/r', { key: 'k', ttl: '1h', client_id: 'me' })).toEqual({ kind: 'empty' });
      const { data } = await get('token/r', id);
      expect(data).toEqual({ client_id: 'me', ttl: 3600, token: expect.any(String) });
      const claims = await verify(data.token, { audience: 'me', algorithms: [algorithm] });
      expect(claims).toMatchObject({ sub: id, namespace: 'root' });
      expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(3600);
      expect(await introspect(data.token, 'me')).toEqual({ active: true });
    },
  );

  test('carry what their template tells of the entity', async () => {
    const { id } = await vault.login('ann', { role: 'dev' });
    await saveEntity(vault.identity.records, { id, name: 'A "b"', metadata: { team: 'x' } });
    const g = { name: 'g', memberEntityIds: [id] };
    const group = await saveGroup(vault.identity.records, undefined, g);
    const template = `{"name": {{identity.entity.name}}, "team": {{identity.entity.metadata.team}},
      "all": {{identity.entity.metadata}}, "none": {{identity.entity.metadata.none}},
      "role": {{identity.entity.aliases.auth_ldap_1.metadata.role}}, "other": {{identity.entity.aliases.x.name}},
      "groups": {{identity.entity.groups.names}}, "ids": {{identity.entity.groups.ids}},
      "nbf": {{time.now.minus.1m}}, "iatx": {{time.now}}, "plain": [1, true]}`;
    await put('key/k', { algorithm: 'ES256', allowed_client_ids: ['*'] });
    expect(await put('role/r', { key: 'k', template: Buffer.from(template).toString('base64') })).toEqual({
      kind: 'empty',
    });
    expect((await get('role/r')).data.template).toBe(template);
    const claims = await verify((await get('token/r', id)).data.token);
    expect(claims).toMatchObject({
      name: 'A "b"',
      team: 'x',
      all: { team: 'x' },
      none: '',
      role: 'dev',
      other: '',
      groups: ['g'],
      ids: ['group' in group ? group.group.id : ''],
      plain: [1, true],
    });
    expect(claims.nbf).toBe((claims.iat ?? 0) - 60);
    expect(claims['iatx']).toBe(claims.iat);
  });

  test('of a key are good while it may verify', async () => {
    const { id } = await vault.login('ann');
    await put('key/k', {
      algorithm: 'EdDSA',
      allowed_client_ids: '*',
      rotation_period: '1h',
      verification_ttl: '2h',
    });
    await put('role/r', { key: 'k', ttl: '2h' });
    const { token } = (await get('token/r', id)).data;
    const [signing, next] = (await jwks()).keys;
    vault.ahead = 3_600_000;
    // Its period is over: the next one signs now.
    const second = (await get('token/r', id)).data.token;
    expect(JSON.parse(Buffer.from(second.split('.')[0], 'base64url').toString()).kid).toBe(next.kid);
    expect((await jwks()).keys.map(({ kid }: any) => kid)).toContain(signing.kid);
    expect(await introspect(token)).toEqual({ active: true });
    expect(await vault.call('update', 'oidc/key/k/rotate', { verification_ttl: 0 })).toEqual({
      kind: 'empty',
    });
    expect(await introspect(second)).toEqual({
      active: false,
      error: 'unable to validate the token signature',
    });
    expect(await introspect(token)).toEqual({ active: true });
    vault.ahead = 7_300_000;
    expect((await introspect(token)).active).toBe(false);
    expect(await refused(put('key/none/rotate'))).toBe('no named key found at "none"');
  });

  test('are not good for what they are not', async () => {
    const { id } = await vault.login('ann');
    await put('key/k', { algorithm: 'ES256', allowed_client_ids: '*' });
    await put('role/r', { key: 'k', client_id: 'me', ttl: '1h' });
    const { token } = (await get('token/r', id)).data;
    const [head, body, signature] = token.split('.');
    const forged = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url');
    expect((await introspect('x')).error).toMatch(/^error parsing token/);
    expect((await introspect(`${forged}.${body}.`)).error).toMatch(/^error parsing token/);
    const other = Buffer.from(JSON.stringify({ sub: 'root' })).toString('base64url');
    expect((await introspect(`${head}.${other}.${signature}`)).error).toBe(
      'unable to validate the token signature',
    );
    expect((await introspect(token, 'you')).error).toContain('aud');
    await put('config', { issuer: 'https://elsewhere' });
    expect((await introspect(token)).error).toContain('iss');
    await put('config', { issuer: '' });
    await saveEntity(vault.identity.records, { id, disabled: true });
    expect(await introspect(token)).toEqual({ active: false, error: 'entity is disabled' });
    await vault.call('delete', `entity/id/${id}`);
    expect(await introspect(token)).toEqual({ active: false, error: 'entity was not found' });
    vault.ahead = 3_600_000;
    expect((await introspect(token)).error).toContain('expired');
    expect(await refused(get('token/r'))).toBe("no entity associated with the request's token");
    expect(await refused(get('token/none', id))).toBe('role "none" not found');
    expect(await refused(get('token/r', id))).toBe("no entity associated with the request's token");
    await put('key/k', { allowed_client_ids: 'you' });
    expect(await refused(get('token/r'))).toBe(
      'the key "k" does not list the client ID of the role "r" as an allowed client ID',
    );
  });
});

describe('configuration', () => {
  test('keys: read, listed, deleted when nothing needs them', async () => {
    expect((await vault.call('list', 'oidc/key')).data).toEqual({ keys: ['default'] });
    expect((await get('key/default')).data).toEqual({
      algorithm: 'RS256',
      allowed_client_ids: ['*'],
      rotation_period: 86_400,
      verification_ttl: 86_400,
    });
    await put('key/k', { rotation_period: '2m', verification_ttl: 300 });
    expect((await get('key/k')).data).toEqual({
      algorithm: 'RS256',
      allowed_client_ids: [],
      rotation_period: 120,
      verification_ttl: 300,
    });
    await put('role/r', { key: 'k', ttl: 300 });
    for (const [answer, message] of [
      [put('key/k', { rotation_period: 59 }), 'rotation_period must be at least one minute'],
      [
        put('key/k', { verification_ttl: 1201 }),
        'verification_ttl cannot be longer than 10x rotation_period',
      ],
      [put('key/k', { algorithm: 'HS256' }), 'unknown signing algorithm "HS256"'],
      [
        put('key/k', { verification_ttl: 299 }),
        'unable to update key "k" because it is currently referenced by one or more roles with a token ttl greater than 299 seconds',
      ],
      [
        vault.call('delete', 'oidc/key/k'),
        'unable to delete key "k" because it is currently referenced by these roles: r',
      ],
      [vault.call('delete', 'oidc/key/default'), 'deletion of key "default" not allowed'],
    ] as const)
      expect(await refused(answer)).toBe(message);
    await vault.call('delete', 'oidc/role/r');
    expect(await vault.call('delete', 'oidc/key/k')).toEqual({ kind: 'empty' });
    expect((await get('key/k')).status).toBe(404);
    expect((await jwks()).keys).toEqual([]);
  });

  test('roles: read, listed, refused', async () => {
    for (const [body, message] of [
      [{}, 'the key parameter is required'],
      [{ key: 'none' }, 'cannot find key "none"'],
      [
        { key: 'default', ttl: '25h' },
        "a role's token ttl cannot be longer than the verification_ttl of the key it references",
      ],
      [
        { key: 'default', template: '{"sub": "x"}' },
        'top level key "sub" not allowed. Restricted keys: iat, aud, exp, iss, sub, namespace, nonce, auth_time, at_hash, c_hash',
      ],
    ] as const)
      expect(await refused(put('role/r', body))).toBe(message);
    for (const template of ['{', '{"a": {{identity.entity.name}', '{"a": {{identity.nothing}}}', '[1]', '}}'])
      expect(await refused(put('role/r', { key: 'default', template }))).toMatch(/^error parsing template/);
    await put('role/r', { key: 'default' });
    expect((await get('role/r')).data).toEqual({
      client_id: expect.stringMatching(/^[0-9A-Za-z]{26}$/),
      key: 'default',
      template: '',
      ttl: 86_400,
    });
    expect((await vault.call('list', 'oidc/role')).data).toEqual({ keys: ['r'] });
    expect((await jwks()).keys).toHaveLength(2);
    expect(JSON.stringify(await jwks())).not.toMatch(/"d"|PRIVATE/);
  });

  test('the issuer is an origin, and everybody may read the rest', async () => {
    for (const issuer of ['ftp://x', 'https://x/y', 'https://u@x', 'x', 'https://'])
      expect(await refused(put('config', { issuer }))).toMatch(/^invalid issuer/);
    expect((await put('config', { issuer: 'https://id.example:1' })).warnings).toHaveLength(1);
    expect((await get('config')).data).toEqual({ issuer: 'https://id.example:1' });
    const issuer = 'https://id.example:1/v1/identity/oidc';
    expect((await get('.well-known/openid-configuration')).body).toEqual({
      issuer,
      jwks_uri: `${issuer}/.well-known/keys`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'EdDSA'],
    });
  });
});
