import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { exportJWK, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';
import { type Asked, TlsServer, type Told } from './support/tls-server.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();

let engine: TestEngine;
let issuer: TlsServer;
/** The keys that the issuer publishes, by their IDs. */
const published = new Map<string, KeyObject>();
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/auth/jwt', { type: 'jwt' });
  issuer = await TlsServer.start(answer);
  published.set('one', rsa.publicKey);
});
afterAll(async () => {
  await issuer.stop();
  await engine.stop();
});

const jwks: { keys: object[] } = { keys: [] };
function answer({ path }: Asked): Told {
  if (path === '/.well-known/openid-configuration')
    return { body: { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` } };
  return path === '/jwks' ? { body: jwks } : { status: 404, body: {} };
}
async function publish(): Promise<void> {
  jwks.keys = await Promise.all(
    [...published].map(async ([kid, key]) => ({ ...(await exportJWK(key)), kid, use: 'sig' })),
  );
}

const config = (fields: object) => engine.call('POST', 'auth/jwt/config', fields);
const role = (fields: object, name = 'r') =>
  engine.call('POST', `auth/jwt/role/${name}`, {
    role_type: 'jwt',
    user_claim: 'sub',
    bound_audiences: 'vault',
    token_policies: 'reader',
    ...fields,
  });
const login = (jwt: string, name = 'r') => engine.call('POST', 'auth/jwt/login', { role: name, jwt }, '');
const refusal = async (jwt: string, name?: string) => (await login(jwt, name)).body.errors[0] as string;
const now = (): number => Math.floor(Date.now() / 1000);

function sign(claims: object = {}, key = rsa.privateKey, alg = 'RS256', kid = 'one'): Promise<string> {
  return new SignJWT({ iss: 'me', sub: 'ann', aud: 'vault', iat: now(), exp: now() + 60, ...claims })
    .setProtectedHeader({ alg, kid })
    .sign(key);
}

test('a configuration names exactly one source of keys, and keeps its secret', async () => {
  const refused = async (fields: object) => (await config(fields)).body.errors[0];
  const one = "exactly one of 'jwt_validation_pubkeys', 'jwks_url' or 'oidc_discovery_url' must be set";
  expect(await refused({})).toBe(one);
  expect(await refused({ jwks_url: 'https://a', oidc_discovery_url: 'https://b' })).toBe(one);
  expect(await refused({ jwt_validation_pubkeys: 'x' })).toContain('error parsing public key');
  expect(await refused({ jwt_validation_pubkeys: pem(rsa.publicKey), oidc_client_id: 'x' })).toBe(
    "both 'oidc_client_id' and 'oidc_client_secret' must be set for OIDC",
  );
  expect(
    await refused({ jwt_validation_pubkeys: pem(rsa.publicKey), jwt_supported_algs: 'HS256' }),
  ).toContain('invalid jwt_supported_algs');
  expect(await refused({ jwks_url: `${issuer.url}/jwks` })).toBe('error checking jwks URL');
  expect(await refused({ oidc_discovery_url: issuer.url })).toBe('error checking oidc discovery URL');
  expect(await refused({ jwks_url: 'https://127.0.0.1:1/', oidc_response_mode: 'fragment' })).toContain(
    'invalid response_mode',
  );
  expect((await engine.call('GET', 'auth/jwt/config')).status).toBe(404);
  const skipped = await config({ jwks_url: 'https://127.0.0.1:1/', skip_jwks_validation: true });
  expect(skipped.body.warnings).toEqual(['error checking jwks URL']);
  expect((await engine.call('GET', 'auth/jwt/config')).body.data.status).toBe('invalid');
  expect(
    (await config({ jwt_validation_pubkeys: pem(rsa.publicKey), bound_issuer: 'me', default_role: 'R' }))
      .status,
  ).toBe(204);
  expect((await engine.call('GET', 'auth/jwt/config')).body.data).toEqual({
    bound_issuer: 'me',
    default_role: 'r',
    jwks_ca_pem: '',
    jwks_url: '',
    jwt_supported_algs: [],
    jwt_validation_pubkeys: [pem(rsa.publicKey).trim()],
    namespace_in_state: true,
    oidc_client_id: '',
    oidc_discovery_ca_pem: '',
    oidc_discovery_url: '',
    oidc_response_mode: '',
    oidc_response_types: [],
    override_allowed_server_names: [],
    provider_config: {},
    status: 'valid',
  });
});

test('roles are checked and read back', async () => {
  const refused = async (fields: object) => (await role(fields, 'bad')).body.errors[0];
  expect(await refused({ role_type: 'odd' })).toBe("invalid 'role_type': odd");
  expect(await refused({ role_type: '' })).toBe(
    "'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified.",
  );
  expect(await refused({ user_claim: '' })).toBe('a user claim must be defined on the role');
  expect(await refused({ bound_audiences: '' })).toBe(
    'must have at least one bound constraint when creating/updating a role',
  );
  expect(await refused({ bound_claims_type: 'regex' })).toBe("invalid 'bound_claims_type': regex");
  expect(await refused({ bound_claims_type: 'glob', bound_claims: { a: 1 } })).toBe(
    'claim is not a string: 1',
  );
  expect(await refused({ claim_mappings: { a: 'role' } })).toContain('reserved');
  expect(await refused({ claim_mappings: { a: 'x', b: 'x' } })).toContain('multiple keys are mapped');
  expect(await refused({ bound_claims: '{"a":1}' })).toContain(
    'error converting input for field "bound_claims"',
  );
  expect(await refused({ callback_mode: 'odd' })).toBe("invalid 'callback_mode': odd");
  expect((await engine.call('LIST', 'auth/jwt/role')).status).toBe(404);
  expect((await role({ verbose_oidc_logging: true }, 'Loud')).body.warnings).toHaveLength(1);
  expect((await engine.call('GET', 'auth/jwt/role/loud')).body.data).toMatchObject({
    allowed_redirect_uris: null,
    bound_audiences: ['vault'],
    bound_claims: null,
    bound_claims_type: 'string',
    callback_mode: 'client',
    clock_skew_leeway: 0,
    groups_claim: '',
    role_type: 'jwt',
    token_policies: ['reader'],
    user_claim: 'sub',
    verbose_oidc_logging: true,
  });
  expect((await engine.call('DELETE', 'auth/jwt/role/loud')).status).toBe(204);
});

test('a token logs in, with mapped claims and external groups; the login is renewed while the role is there', async () => {
  const { accessor } = (await engine.call('GET', 'sys/auth')).body.data['jwt/'];
  await engine.call('PUT', 'sys/policies/acl/admin', {
    policy: 'path "sys/policy" { capabilities = ["read"] }',
  });
  const group = await engine.call('POST', 'identity/group', { type: 'external', policies: 'admin' });
  await engine.call('POST', 'identity/group-alias', {
    name: 'admins',
    mount_accessor: accessor,
    canonical_id: group.body.data.id,
  });
  await role({
    groups_claim: '/deep/groups',
    claim_mappings: { mail: 'email', '/deep/unit': 'unit', none: 'n' },
    ttl: '5m',
  });
  const jwt = await sign({ mail: 'a@b.c', deep: { groups: ['admins', 'x', ''], unit: 'u' } });
  const { auth } = (await login(jwt, '')).body;
  expect(auth).toMatchObject({
    identity_policies: ['admin'],
    lease_duration: 300,
    metadata: { email: 'a@b.c', role: 'r', unit: 'u' },
    token_policies: ['default', 'reader'],
  });
  const self = await engine.call('GET', 'auth/token/lookup-self', undefined, auth.client_token);
  expect(self.body.data.display_name).toBe('jwt-ann');
  expect((await engine.call('GET', 'sys/policy', undefined, auth.client_token)).status).toBe(200);
  expect((await login(await sign({ deep: { groups: 'x' } }))).body.auth.identity_policies).toBeUndefined();
  expect((await engine.call('POST', 'auth/token/renew-self', {}, auth.client_token)).status).toBe(200);
  expect(await refusal(await sign())).toBe('failed to fetch groups: "/deep/groups" claim not found in token');
  expect(await refusal(await sign({ deep: { groups: [1] } }))).toContain('could not be parsed as string');
});

test('whatever is not signed, for us, and for now is refused', async () => {
  await role({ groups_claim: '' });
  const signature =
    'error validating token: error verifying token signature: no known key successfully validated the token signature';
  const [head = '', body = ''] = (await sign()).split('.');
  expect(await refusal(`${head}.${body}.AAAA`)).toBe(signature);
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
  expect(await refusal(await sign({}, other.privateKey))).toBe(signature);
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  expect(await refusal(`${none}.${body}.`)).toContain('unexpected signature algorithm "none"');
  const confused = await new SignJWT({ sub: 'ann', aud: 'vault', exp: now() + 60 })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(pem(rsa.publicKey)));
  expect(await refusal(confused)).toContain('unexpected signature algorithm "HS256"');
  expect(await refusal('a.b')).toContain('three parts');
  for (const [claims, message] of [
    [{ exp: now() - 120 }, 'invalid expiration time (exp) claim: token is expired'],
    [{ nbf: now() + 120 }, 'invalid not before (nbf) claim: token not yet valid'],
    [{ iat: now() + 120, nbf: now() }, 'invalid issued at (iat) claim: token issued in the future'],
    [{ exp: undefined, iat: undefined }, 'no issued at (iat), not before (nbf), or expiration time (exp)'],
    [{ exp: 'soon' }, 'not a number'],
    [{ iss: 'you' }, 'invalid issuer (iss) claim'],
    [{ aud: ['else'] }, 'invalid audience (aud) claim'],
    [{ aud: undefined }, 'invalid audience (aud) claim'],
    [{ aud: 5 }, 'invalid audience (aud) claim'],
    [{ aud: ['vault', 5] }, 'invalid audience (aud) claim'],
  ] as const)
    expect(await refusal(await sign(claims))).toContain(message);
  expect(await refusal(await sign({ sub: undefined }))).toBe('claim "sub" not found in token');
  expect(await refusal(await sign({ sub: 7 }))).toBe('claim "sub" could not be converted to string');
  expect(await refusal(await sign(), 'none')).toBe('role "none" could not be found');
  expect(await refusal('', 'r')).toBe('missing token');
  await role({ bound_audiences: '', bound_subject: 'ann' }, 'subject');
  expect(await refusal(await sign(), 'subject')).toBe(
    'audience claim found in JWT but no audiences bound to the role',
  );
  expect(await refusal(await sign({ aud: undefined, sub: 'eve' }), 'subject')).toContain('invalid subject');
  expect((await login(await sign({ aud: undefined }), 'subject')).status).toBe(200);
  // What is no audience does not pass for a token without one.
  for (const aud of [5, true, {}, { vault: true }, [5], [['vault']], [null]])
    expect(await refusal(await sign({ aud }), 'subject')).toContain('invalid audience (aud) claim');
  await role({ token_bound_cidrs: '10.0.0.0/8' }, 'far');
  expect((await login(await sign(), 'far')).status).toBe(403);
  await role({ role_type: 'oidc', allowed_redirect_uris: 'https://a' }, 'browser');
  expect(await refusal(await sign(), 'browser')).toBe('role with oidc role_type is not allowed');
});

test('leeways stretch times', async () => {
  await role({ clock_skew_leeway: 300 }, 'skewed');
  expect((await login(await sign({ exp: now() - 120 }), 'skewed')).status).toBe(200);
  await role({ clock_skew_leeway: -1 }, 'strict');
  expect(await refusal(await sign({ exp: now() - 5 }), 'strict')).toContain('token is expired');
  await role({ expiration_leeway: 600 }, 'long');
  expect((await login(await sign({ exp: undefined, iat: now() - 500 }), 'long')).status).toBe(200);
  expect(await refusal(await sign({ exp: undefined, iat: now() - 500 }))).toContain('token is expired');
});

test('claims bind by value, by list, by pattern and by pointer', async () => {
  const bound = async (bound_claims: object, claims: object, bound_claims_type = 'string') => {
    await role({ bound_claims, bound_claims_type }, 'bound');
    const { status, body } = await login(await sign(claims), 'bound');
    return status === 200 ? true : (body.errors[0] as string);
  };
  const no = 'error validating claims: claim "c" does not match any associated bound claim values';
  expect(await bound({ c: 'a' }, { c: 'a' })).toBe(true);
  expect(await bound({ c: ['a', 'b'] }, { c: ['x', 'b'] })).toBe(true);
  expect(await bound({ c: 'a' }, { c: 'b' })).toBe(no);
  expect(await bound({ c: 1 }, { c: '1' })).toBe(no);
  expect(await bound({ c: true, d: 5 }, { c: true, d: 5 })).toBe(true);
  expect(await bound({ c: 'a' }, {})).toBe('error validating claims: claim "c" is missing');
  expect(await bound({ c: 'a*' }, { c: 'abc' })).toBe(no);
  expect(await bound({ c: 'a*' }, { c: 'abc' }, 'glob')).toBe(true);
  expect(await bound({ c: 'a*' }, { c: 'xabc' }, 'glob')).toBe(no);
  expect(await bound({ '/p/q~1r/0': 'v' }, { p: { 'q/r': ['v'] } })).toBe(true);
  await role({ user_claim: '/who/name', user_claim_json_pointer: true }, 'pointer');
  const { auth } = (await login(await sign({ who: { name: 'deep' } }), 'pointer')).body;
  const { data } = (await engine.call('GET', `identity/entity/id/${auth.entity_id}`)).body;
  expect(data.aliases[0].name).toBe('deep');
});

test('a role’s program decides what a token is worth', async () => {
  await config({ jwt_validation_pubkeys: pem(rsa.publicKey), bound_issuer: 'me' });
  const put = (cel_program: object, more: object = {}) =>
    engine.call('POST', 'auth/jwt/cel/role/prog', { cel_program, bound_audiences: 'vault', ...more });
  const enter = async (claims: object) =>
    engine.call('POST', 'auth/jwt/cel/login', { role: 'prog', jwt: await sign(claims) }, '');
  expect((await engine.call('POST', 'auth/jwt/cel/role/prog', {})).body.errors).toEqual([
    "missing required field 'cel_program'",
  ]);
  expect((await put({ expression: 'nonsense' })).body.errors).toEqual([
    "failed to validate CEL program: undeclared reference to 'nonsense'",
  ]);
  const program = {
    variables: [{ name: 'user', expression: "has(claims.who) ? string(claims.who.name) : ''" }],
    expression: `user == '' ? 'nobody is named' : claims.groups.exists(g, g == 'dev')
      ? pb.Auth{
          policies: claims.groups.map(g, 'group-' + g),
          display_name: user,
          alias: logical.Alias{name: user},
          group_aliases: claims.groups.map(g, logical.Alias{name: g}),
          metadata: {'by': 'cel'},
          lease_options: pb.LeaseOptions{TTL: 300000000000}
        }
      : false`,
  };
  const written = await put(program);
  expect(written.body.data).toEqual({
    bound_audiences: ['vault'],
    cel_program: program,
    clock_skew_leeway: 60,
    expiration_leeway: 150,
    message: '',
    name: 'prog',
    not_before_leeway: 150,
  });
  const { auth } = (await enter({ who: { name: 'cel-ann' }, groups: ['dev', 'Ops'] })).body;
  expect(auth).toMatchObject({
    lease_duration: 300,
    metadata: { by: 'cel' },
    token_policies: ['default', 'group-dev', 'group-ops'],
  });
  expect((await engine.call('POST', 'auth/token/renew-self', {}, auth.client_token)).status).toBe(200);
  const refused = async (claims: object) => (await enter(claims)).body.errors[0];
  expect(await refused({ who: { name: 'x' }, groups: ['qa'] })).toBe(
    "error executing cel program: Cel role 'prog' blocked authorization with boolean false return",
  );
  expect(await refused({ groups: [] })).toBe(
    "error executing cel program: Cel role 'prog' blocked authorization with message: nobody is named",
  );
  expect(await refused({ who: { name: 'x' } })).toContain(
    'Cel role auth program failed: no such key: groups',
  );
  expect(await refused({ aud: 'else' })).toContain('invalid audience');
  expect(await refused({ who: { name: 'x' }, groups: ['dev'], iss: 'you' })).toContain('invalid issuer');
  const patched = await engine.call('PATCH', 'auth/jwt/cel/role/prog', { message: 'm' });
  expect(patched.body.data).toMatchObject({ cel_program: program, message: 'm' });
  expect((await engine.call('LIST', 'auth/jwt/cel/role')).body.data.keys).toEqual(['prog']);
  await put({ expression: "pb.Auth{policies: ['root']}" });
  expect((await enter({})).body.errors).toEqual(['auth methods cannot create root tokens']);
  await put({ expression: '1 == 1' });
  expect(await refused({})).toContain('returned unexpected type');
  expect((await engine.call('DELETE', 'auth/jwt/cel/role/prog')).status).toBe(204);
  expect((await engine.call('POST', 'auth/token/renew-self', {}, auth.client_token)).status).toBe(400);
});

test('keys come from a JWKS over TLS, again when a token names a new one; only allowed algorithms count', async () => {
  await publish();
  expect((await config({ jwks_url: `${issuer.url}/jwks`, jwks_ca_pem: issuer.caPem })).status).toBe(204);
  expect((await login(await sign())).status).toBe(200);
  expect((await login(await sign({}, ec.privateKey, 'ES256', 'two'))).body.errors[0]).toContain(
    'failed to verify id token signature',
  );
  published.set('two', ec.publicKey);
  await publish();
  const before = issuer.asked.length;
  const answers = await Promise.all(
    [1, 2, 3].map(async () => login(await sign({}, ec.privateKey, 'ES256', 'two'))),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(issuer.asked.length - before).toBeLessThanOrEqual(3);
  await config({ jwks_url: `${issuer.url}/jwks`, jwks_ca_pem: issuer.caPem, jwt_supported_algs: 'ES256' });
  expect(await refusal(await sign())).toContain('unexpected signature algorithm "RS256"');

  const pairs = [{ jwks_url: `${issuer.url}/jwks`, jwks_ca_pem: issuer.caPem }];
  expect((await config({ jwks_pairs: pairs })).status).toBe(204);
  expect((await engine.call('GET', 'auth/jwt/config')).body.data.jwks_pairs).toEqual(pairs);
  expect((await login(await sign())).status).toBe(200);
});

test('a discovery document names the JWKS; certificates, PEMs and EdDSA are keys too', async () => {
  const wrong = await config({ oidc_discovery_url: `${issuer.url}/x`, oidc_discovery_ca_pem: issuer.caPem });
  expect(wrong.body.errors).toEqual(['error checking oidc discovery URL']);
  const discovery = { oidc_discovery_ca_pem: issuer.caPem };
  const trimmed = await config({
    ...discovery,
    oidc_discovery_url: `${issuer.url}/.well-known/openid-configuration`,
  });
  expect(trimmed.body.warnings[0]).toContain('modifying provided');
  expect((await login(await sign())).status).toBe(200);
  await engine.restart();
  expect((await login(await sign())).status).toBe(200);
  await config({ jwt_validation_pubkeys: [pem(rsa.publicKey), pem(ec.publicKey), pem(ed.publicKey)] });
  for (const [key, alg] of [
    [rsa.privateKey, 'PS256'],
    [ec.privateKey, 'ES256'],
    [ed.privateKey, 'EdDSA'],
  ] as const)
    expect((await login(await sign({}, key, alg))).status).toBe(200);

  const other = await TlsServer.start(answer, ['elsewhere.example']);
  const far = { jwks_url: `${other.url}/jwks`, jwks_ca_pem: other.caPem };
  expect((await config(far)).body.errors).toEqual(['error checking jwks URL']);
  expect((await config({ ...far, override_allowed_server_names: 'elsewhere.example' })).status).toBe(204);
  await other.stop();
  expect(engine.logLines.join('')).not.toMatch(/eyJ[\w-]+\.eyJ/);
});
