import { createPublicKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from '../api/support/engine.ts';
import { until } from '../support/cluster/command.ts';
import { type ControlPlane, startControlPlane } from '../support/cluster/controlplane.ts';

const dir = mkdtempSync(join(tmpdir(), 'sealedvault-auth-k8s-'));
let plane: ControlPlane;
let engine: TestEngine;
let reviewer: string;

beforeAll(async () => {
  plane = await startControlPlane({ dir: join(dir, 'plane') });
  engine = await TestEngine.initialized();
  for (const [namespace, labels] of [
    ['blue', { team: 'a' }],
    ['red', { team: 'b' }],
  ] as const) {
    await create('/api/v1/namespaces', { kind: 'Namespace', metadata: { name: namespace, labels } });
    await account(namespace, 'app');
  }
  await account('blue', 'reviewer');
  const subjects = [{ kind: 'ServiceAccount', name: 'reviewer', namespace: 'blue' }];
  for (const [name, rules] of [
    ['review', [{ apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] }]],
    ['namespaces', [{ apiGroups: [''], resources: ['namespaces'], verbs: ['get'] }]],
  ] as const) {
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    await create(`${rbac}/clusterroles`, { apiVersion, kind: 'ClusterRole', metadata: { name }, rules });
    await create(`${rbac}/clusterrolebindings`, {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects,
    });
  }
  reviewer = await token('blue', 'reviewer');
  await engine.call('POST', 'sys/auth/kubernetes', { type: 'kubernetes' });
  await engine.call('POST', 'auth/kubernetes/role/app', {
    bound_service_account_names: 'app',
    bound_service_account_namespaces: 'blue',
    audience: 'vault',
    token_policies: 'reader',
  });
});
afterAll(async () => {
  await engine?.stop();
  await plane?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const create = (path: string, object: object) =>
  plane.api.call<{ metadata: { uid: string } }>('POST', path, { apiVersion: 'v1', ...object });
const account = (namespace: string, name: string) =>
  create(`/api/v1/namespaces/${namespace}/serviceaccounts`, { kind: 'ServiceAccount', metadata: { name } });

async function token(namespace: string, name: string, audiences?: string[]): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const answer = await plane.api.call<{ status: { token: string } }>('POST', path, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 3600, ...(audiences === undefined ? {} : { audiences }) },
  });
  return answer.status.token;
}

const configure = (more: object = {}) =>
  engine.call('POST', 'auth/kubernetes/config', {
    kubernetes_host: plane.server,
    kubernetes_ca_cert: plane.caPem,
    token_reviewer_jwt: reviewer,
    disable_local_ca_jwt: true,
    ...more,
  });
const login = (jwt: string, role = 'app') => engine.call('POST', 'auth/kubernetes/login', { role, jwt }, '');

test('a token that the API server made logs in, with and without the cluster’s key', async () => {
  await configure();
  const jwt = await token('blue', 'app', ['vault']);
  const { uid } = (
    await plane.api.call<{ metadata: { uid: string } }>('GET', '/api/v1/namespaces/blue/serviceaccounts/app')
  ).metadata;
  const { auth } = (await login(jwt)).body;
  expect(auth).toMatchObject({
    metadata: {
      role: 'app',
      service_account_name: 'app',
      service_account_namespace: 'blue',
      service_account_uid: uid,
    },
    policies: ['default', 'reader'],
  });
  const pem = createPublicKey(readFileSync(plane.keys.serviceAccount))
    .export({ type: 'spki', format: 'pem' })
    .toString();
  await configure({
    pem_keys: pem,
    disable_iss_validation: false,
    issuer: 'https://kubernetes.default.svc.cluster.local',
  });
  expect((await login(jwt)).status).toBe(200);
});

test('another account, another namespace, another audience and a changed token are refused', async () => {
  await configure();
  expect((await login(await token('red', 'app', ['vault']))).body.errors).toEqual([
    'namespace not authorized',
  ]);
  expect((await login(await token('blue', 'reviewer', ['vault']))).body.errors).toEqual([
    'service account name not authorized',
  ]);
  expect((await login(await token('blue', 'app'))).status).toBe(403);
  const jwt = await token('blue', 'app', ['vault']);
  const [head, body, signature = ''] = jwt.split('.');
  const changed = `${head}.${body}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
  expect((await login(changed)).body.errors).toEqual(['permission denied']);
});

test('namespaces are chosen by their labels', async () => {
  await configure();
  await engine.call('POST', 'auth/kubernetes/role/labels', {
    bound_service_account_names: 'app',
    bound_service_account_namespace_selector: '{"matchLabels":{"team":"b"}}',
    audience: 'vault',
  });
  expect((await login(await token('red', 'app', ['vault']), 'labels')).status).toBe(200);
  expect((await login(await token('blue', 'app', ['vault']), 'labels')).status).toBe(403);
});

test('a reviewer without the permission lets nobody in; an account may review its own token', async () => {
  await configure({ token_reviewer_jwt: '' });
  expect((await login(await token('blue', 'app', ['vault']))).status).toBe(403);
  await engine.call('POST', 'auth/kubernetes/role/self', {
    bound_service_account_names: 'reviewer',
    bound_service_account_namespaces: 'blue',
  });
  expect((await login(reviewer, 'self')).status).toBe(200);
});

test('a deleted account no longer logs in, though its token has not expired', async () => {
  await configure();
  await account('blue', 'brief');
  await engine.call('POST', 'auth/kubernetes/role/brief', {
    bound_service_account_names: 'brief',
    bound_service_account_namespaces: 'blue',
    audience: 'vault',
  });
  const jwt = await token('blue', 'brief', ['vault']);
  expect((await login(jwt, 'brief')).status).toBe(200);
  await plane.api.call('DELETE', '/api/v1/namespaces/blue/serviceaccounts/brief');
  // The API server remembers a good token for ten seconds.
  await until('the token is refused', 30_000, async () =>
    (await login(jwt, 'brief')).status === 403 ? true : undefined,
  );
  const log = engine.logLines.join('');
  expect([log.includes(jwt), log.includes(reviewer)]).toEqual([false, false]);
});
