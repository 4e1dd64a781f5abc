import { generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';
import { type Asked, TlsServer, type Told } from './support/tls-server.ts';

const REVIEWER = 'canary-reviewer-jwt';
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = keys.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let engine: TestEngine;
let cluster: TlsServer;
/** What the API server says of tokens. */
let review: Record<string, unknown>;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/auth/kubernetes', { type: 'kubernetes' });
  cluster = await TlsServer.start(answer);
});
afterAll(async () => {
  await cluster.stop();
  await engine.stop();
});
beforeEach(async () => {
  review = {
    authenticated: true,
    user: { username: 'system:serviceaccount:blue:app', uid: 'uid-1' },
    audiences: ['vault'],
  };
  await config({ pem_keys: [pem] });
});

function answer({ path, authorization, body }: Asked): Told {
  if (authorization !== `Bearer ${REVIEWER}`) return { status: 401, body: { kind: 'Status' } };
  if (path === '/api/v1/namespaces/blue') return { body: { metadata: { labels: { team: 'a', tier: 'x' } } } };
  if (path === '/api/v1/namespaces/blue/serviceaccounts/app') {
    return {
      body: { metadata: { annotations: { 'vault.hashicorp.com/alias-metadata-env': 'prod', o: 'p' } } },
    };
  }
  const { spec } = JSON.parse(body) as { spec: object };
  return { status: 201, body: { kind: 'TokenReview', spec, status: review } };
}

const config = (more: object = {}) =>
  engine.call('POST', 'auth/kubernetes/config', {
    kubernetes_host: `${cluster.url}/`,
    kubernetes_ca_cert: cluster.caPem,
    token_reviewer_jwt: REVIEWER,
    disable_local_ca_jwt: true,
    ...more,
  });
const role = (fields: object, name = 'app') =>
  engine.call('POST', `auth/kubernetes/role/${name}`, {
    bound_service_account_names: 'app',
    bound_service_account_namespaces: 'blue',
    audience: 'vault',
    token_policies: 'reader',
    ...fields,
  });
const login = (jwt: string, name = 'app') =>
  engine.call('POST', 'auth/kubernetes/login', { role: name, jwt }, '');

function bound(claims: object = {}, key = keys.privateKey): Promise<string> {
  return new SignJWT({
    iss: 'https://kubernetes.default.svc',
    sub: 'system:serviceaccount:blue:app',
    aud: ['vault'],
    exp: Math.floor(Date.now() / 1000) + 600,
    'kubernetes.io': { namespace: 'blue', serviceaccount: { name: 'app', uid: 'uid-1' } },
    ...claims,
  })
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .sign(key);
}

test('the configuration is written whole and read without the token', async () => {
  expect((await engine.call('POST', 'auth/kubernetes/config', {})).body.errors).toEqual(['no host provided']);
  expect((await config({ pem_keys: 'x' })).body.errors).toEqual([
    'data does not contain any valid RSA or ECDSA public keys',
  ]);
  expect((await config({ kubernetes_ca_cert: '' })).body.errors).toEqual([
    'kubernetes_ca_cert must be given when disable_local_ca_jwt is true',
  ]);
  expect((await config({ issuer: 'me', disable_iss_validation: false })).status).toBe(204);
  const read = await engine.call('GET', 'auth/kubernetes/config');
  expect(read.body.data).toEqual({
    disable_iss_validation: false,
    disable_local_ca_jwt: true,
    issuer: 'me',
    kubernetes_ca_cert: cluster.caPem,
    kubernetes_host: `${cluster.url}/`,
    pem_keys: [],
    token_reviewer_jwt_set: true,
  });
  expect(JSON.stringify(read.body)).not.toContain(REVIEWER);
});

test('roles are checked and read back', async () => {
  const refusal = async (fields: object) => (await role(fields, 'bad')).body.errors[0];
  expect(await refusal({ bound_service_account_names: '' })).toBe(
    '"bound_service_account_names" can not be empty',
  );
  expect(await refusal({ bound_service_account_namespaces: '' })).toBe(
    '"bound_service_account_namespaces" can not be empty if "bound_service_account_namespace_selector" is not set',
  );
  expect(await refusal({ bound_service_account_names: '*,a' })).toBe('can not mix "*" with values');
  expect(await refusal({ bound_service_account_namespace_selector: '[1]' })).toBe(
    'invalid "bound_service_account_namespace_selector" configured',
  );
  expect(await refusal({ alias_name_source: 'odd' })).toBe(
    'invalid alias_name_source, must be one of: serviceaccount_uid, serviceaccount_name',
  );
  expect(await refusal({ token_ttl: '2h', token_max_ttl: '1h' })).toContain('token_ttl');
  expect((await engine.call('GET', 'auth/kubernetes/role/bad')).status).toBe(404);
  expect((await role({ audience: '' }, 'warned')).body.warnings[0]).toContain('does not specify an audience');
  await role({ ttl: '1h', num_uses: 9 }, 'Shown');
  expect((await engine.call('GET', 'auth/kubernetes/role/shown')).body.data).toMatchObject({
    alias_name_source: 'serviceaccount_uid',
    audience: 'vault',
    bound_service_account_names: ['app'],
    bound_service_account_namespace_selector: '',
    bound_service_account_namespaces: ['blue'],
    num_uses: 9,
    token_num_uses: 9,
    token_ttl: 3600,
    ttl: 3600,
  });
  expect((await engine.call('LIST', 'auth/kubernetes/role')).body.data.keys).toEqual(['shown', 'warned']);
  expect((await engine.call('DELETE', 'auth/kubernetes/role/shown')).status).toBe(204);
});

test('a pod logs in, and renews while its role is there', async () => {
  await role({ token_ttl: '10m' });
  const jwt = await bound();
  const { auth } = (await login(jwt)).body;
  expect(auth).toMatchObject({
    lease_duration: 600,
    metadata: {
      role: 'app',
      service_account_name: 'app',
      service_account_namespace: 'blue',
      service_account_secret_name: '',
      service_account_uid: 'uid-1',
    },
    policies: ['default', 'reader'],
  });
  const asked = cluster.asked.at(-1);
  expect(JSON.parse(asked?.body ?? '')).toMatchObject({ spec: { token: jwt, audiences: ['vault'] } });
  const self = await engine.call('GET', 'auth/token/lookup-self', undefined, auth.client_token);
  expect(self.body.data.display_name).toBe('kubernetes-blue-app');
  const { data } = (await engine.call('GET', `identity/entity/id/${auth.entity_id}`)).body;
  expect(data.aliases[0]).toMatchObject({ name: 'uid-1', metadata: { service_account_name: 'app' } });
  expect((await engine.call('POST', 'auth/token/renew-self', {}, auth.client_token)).status).toBe(200);
  await engine.call('DELETE', 'auth/kubernetes/role/app');
  expect((await engine.call('POST', 'auth/token/renew-self', {}, auth.client_token)).status).toBe(400);
});

test('aliases are named by account where asked for, with annotations as metadata', async () => {
  await config({ pem_keys: [pem], use_annotations_as_alias_metadata: true });
  await role({ alias_name_source: 'serviceaccount_name' }, 'named');
  const { auth } = (await login(await bound(), 'named')).body;
  const { data } = (await engine.call('GET', `identity/entity/id/${auth.entity_id}`)).body;
  expect(data.aliases[0]).toMatchObject({ name: 'blue/app', metadata: { env: 'prod' } });
  expect(data.aliases[0].metadata.o).toBeUndefined();
});

test('whatever does not fit is refused', async () => {
  await role({});
  const refusal = async (jwt: string, name?: string) => {
    const answer = await login(jwt, name);
    return [answer.status, answer.body.errors[0]];
  };
  expect(await refusal('', 'app')).toEqual([400, 'missing jwt']);
  expect(await refusal(await bound(), '')).toEqual([400, 'missing role']);
  expect(await refusal('a.b.c', 'none')).toEqual([400, 'invalid role name "none"']);
  const denied = [403, 'permission denied'];
  expect(await refusal('bad')).toEqual(denied);
  expect(await refusal(await bound({}, other.privateKey))).toEqual(denied);
  const [head, body] = (await bound()).split('.');
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  expect(await refusal(`${none}.${body}.`)).toEqual(denied);
  expect(await refusal(`${head}.${body}.AAAA`)).toEqual(denied);
  const secret = new TextEncoder().encode(pem);
  const confused = await new SignJWT({ aud: 'vault' }).setProtectedHeader({ alg: 'HS256' }).sign(secret);
  expect(await refusal(confused)).toEqual(denied);
  expect(await refusal(await bound({ exp: 1000 }))).toEqual([
    403,
    'invalid expiration time (exp) claim: token is expired',
  ]);
  expect((await refusal(await bound({ aud: 'else' })))[1]).toContain('invalid audience (aud) claim');
  const named = (name: string, namespace: string) =>
    bound({ 'kubernetes.io': { namespace, serviceaccount: { name, uid: 'uid-1' } } });
  expect(await refusal(await named('other', 'blue'))).toEqual([403, 'service account name not authorized']);
  expect(await refusal(await named('app', 'red'))).toEqual([403, 'namespace not authorized']);

  const good = await bound();
  for (const told of [
    { authenticated: false, error: 'gone' },
    { ...review, user: { username: 'system:serviceaccount:blue:app', uid: 'uid-2' } },
    { ...review, user: { username: 'system:serviceaccount:red:app', uid: 'uid-1' } },
    { ...review, user: { username: 'system:node:blue:app', uid: 'uid-1' } },
    { ...review, audiences: ['else'] },
    {},
  ]) {
    review = told;
    expect(await refusal(good)).toEqual(denied);
  }
  await role({ token_bound_cidrs: '10.0.0.0/8' }, 'far');
  expect(await refusal(good, 'far')).toEqual(denied);
  await config({ pem_keys: [pem], kubernetes_ca_cert: '' });
  expect(await refusal(good)).toEqual(denied);
  await config({ pem_keys: [pem], disable_iss_validation: false, issuer: 'me' });
  expect(await refusal(good)).toEqual([403, 'invalid issuer (iss) claim']);
  await config({ kubernetes_host: 'https://127.0.0.1:1' });
  expect(await refusal(good)).toEqual(denied);
});

test('names and namespaces fit by pattern, namespaces also by their labels', async () => {
  await role({ bound_service_account_names: 'a*', bound_service_account_namespaces: '*' }, 'any');
  expect((await login(await bound(), 'any')).status).toBe(200);
  const selector = (bound_service_account_namespace_selector: string) =>
    role({ bound_service_account_namespaces: '', bound_service_account_namespace_selector }, 'labels');
  await selector('{"matchLabels": {"team": "a"}}');
  expect((await login(await bound(), 'labels')).status).toBe(200);
  await selector('matchExpressions:\n- {key: tier, operator: NotIn, values: [x]}');
  expect((await login(await bound(), 'labels')).body.errors).toEqual(['namespace not authorized']);
  await selector('matchExpressions:\n- {key: tier, operator: Exists}\n- {key: z, operator: DoesNotExist}');
  expect((await login(await bound(), 'labels')).status).toBe(200);
});

test('without keys of the cluster, its word is what counts; older tokens are read too', async () => {
  await config({});
  await role({ audience: '' }, 'old');
  const older = await new SignJWT({
    iss: 'kubernetes/serviceaccount',
    'kubernetes.io/serviceaccount/namespace': 'blue',
    'kubernetes.io/serviceaccount/secret.name': 'app-token',
    'kubernetes.io/serviceaccount/service-account.name': 'app',
    'kubernetes.io/serviceaccount/service-account.uid': 'uid-1',
  })
    .setProtectedHeader({ alg: 'ES256' })
    .sign(other.privateKey);
  expect((await login(older, 'old')).body.auth.metadata.service_account_secret_name).toBe('app-token');
  await config({ token_reviewer_jwt: '' });
  expect((await login(older, 'old')).status).toBe(403);
  expect(cluster.asked.at(-1)?.authorization).toBe(`Bearer ${older}`);
  await engine.restart();
  await config({});
  expect((await login(older, 'old')).status).toBe(200);
  const log = engine.logLines.join('');
  expect(log).not.toContain(REVIEWER);
  expect(log).not.toContain(older);
});
