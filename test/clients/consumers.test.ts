import { createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { files, openssl } from '../api/support/openssl.ts';
import { World } from './support/world.ts';

/** What the tools send that others build upon, request by request, and what they read in the answers. */
let world: World;
let ca: Buffer;
beforeAll(async () => {
  world = await World.start();
  ca = readFileSync(world.env['VAULT_CACERT'] ?? '');
  await root('PUT', 'sys/policies/acl/app', {
    policy:
      'path "secret/*" { capabilities = ["read", "list", "create", "update", "patch", "delete"] }\npath "pki/*" { capabilities = ["read", "create", "update"] }',
  });
});
afterAll(() => world.stop());

interface Answer {
  readonly status: number;
  readonly body: any;
}

/** As HashiCorp's Go client sends it. */
function send(
  token: string,
  method: string,
  path: string,
  body?: object,
  more: Record<string, string> = {},
): Promise<Answer> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = {
      'X-Vault-Request': 'true',
      'User-Agent': 'Go-http-client/1.1',
      'Accept-Encoding': 'gzip',
      ...(token === '' ? {} : { 'X-Vault-Token': token }),
      ...(text === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(text)) }),
      ...more,
    };
    const call = request(`${world.vault.address}/v1/${path}`, { method, headers, ca }, (answer) => {
      let told = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        told += chunk;
      });
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, body: told === '' ? undefined : JSON.parse(told) }),
      );
    });
    call.once('error', reject);
    call.end(text);
  });
}

async function root(method: string, path: string, body?: object): Promise<any> {
  const answer = await send('root', method, path, body);
  expect(answer.status, `${method} ${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(300);
  return answer.body;
}

async function appRole(name: string, fields: object = {}): Promise<{ role_id: string; secret_id: string }> {
  await send('root', 'POST', 'sys/auth/approle', { type: 'approle' });
  await root('PUT', `auth/approle/role/${name}`, { token_policies: 'app', token_ttl: '1h', ...fields });
  const { data } = await root('GET', `auth/approle/role/${name}/role-id`);
  const made = await root('PUT', `auth/approle/role/${name}/secret-id`);
  return { role_id: data.role_id, secret_id: made.data.secret_id };
}

describe('Terraform’s provider', () => {
  let child = '';

  test('learns the version, looks its token up and works with a child of it', async () => {
    const { body: status } = await send('', 'GET', 'sys/seal-status');
    // hashicorp/go-version must parse it, and "ent" among the metadata would make it Vault Enterprise.
    expect(status.version).toMatch(/^1\.\d+\.\d+(?:\+[0-9A-Za-z.-]+)?$/);
    expect(status.version).not.toContain('ent');
    const self = await send('root', 'GET', 'auth/token/lookup-self');
    expect(self.body.data).toMatchObject({ id: 'root', policies: ['root'], ttl: 0, expire_time: null });
    const made = await send('root', 'POST', 'auth/token/create', {
      ttl: '1200s',
      explicit_max_ttl: '1200s',
      display_name: 'terraform',
      num_uses: 0,
      renewable: false,
      type: '',
      entity_alias: '',
    });
    expect(made.body.auth).toMatchObject({ lease_duration: 1200, renewable: false, policies: ['root'] });
    child = made.body.auth.client_token;
    const own = await send(child, 'GET', 'auth/token/lookup-self');
    expect(own.body.data).toMatchObject({
      display_name: 'token-terraform',
      explicit_max_ttl: 1200,
      creation_ttl: 1200,
    });
  });

  test('sees that a mount is not there, makes, reads, tunes, moves and deletes it', async () => {
    const missing = await send(child, 'GET', 'sys/mounts/tf');
    expect([missing.status, missing.body.errors]).toEqual([400, ['No secret engine mount at tf/']]);
    const noAuth = await send(child, 'GET', 'sys/auth/tf');
    expect([noAuth.status, noAuth.body.errors]).toEqual([400, ['No auth engine at tf/']]);
    const input = {
      type: 'kv',
      description: '',
      config: {
        options: null,
        default_lease_ttl: '0s',
        max_lease_ttl: '0s',
        force_no_cache: false,
        listing_visibility: 'unauth',
        audit_non_hmac_request_keys: ['a'],
      },
      local: false,
      seal_wrap: false,
      external_entropy_access: false,
      options: { version: '2' },
    };
    expect((await send(child, 'POST', 'sys/mounts/tf', input)).status).toBe(204);
    const { data } = (await send(child, 'GET', 'sys/mounts/tf')).body;
    expect(data).toMatchObject({
      type: 'kv',
      options: { version: '2' },
      local: false,
      seal_wrap: false,
      external_entropy_access: false,
      config: {
        default_lease_ttl: 0,
        max_lease_ttl: 0,
        listing_visibility: 'unauth',
        audit_non_hmac_request_keys: ['a'],
      },
    });
    expect(data.accessor).toMatch(/^kv_[0-9a-f]+$/);
    const tuned = { default_lease_ttl: '3600s', max_lease_ttl: '7200s', description: 'tf', options: {} };
    expect((await send(child, 'POST', 'sys/mounts/tf/tune', tuned)).status).toBe(204);
    expect((await send(child, 'GET', 'sys/mounts/tf/tune')).body.data).toMatchObject({
      default_lease_ttl: 3600,
      max_lease_ttl: 7200,
      description: 'tf',
      options: { version: '2' },
    });
    const moved = (await send(child, 'POST', 'sys/remount', { from: 'tf', to: 'tf2' })).body.data;
    const after = await send(child, 'GET', `sys/remount/status/${moved.migration_id}`);
    expect(after.body.data.migration_info).toMatchObject({
      source_mount: 'tf/',
      target_mount: 'tf2/',
      status: 'success',
    });
    expect((await send(child, 'DELETE', 'sys/mounts/tf2')).status).toBe(204);
  });

  test('writes policies, auth methods, roles and secrets, and reads them as it wrote them', async () => {
    const policy = 'path "x/*" {\n  capabilities = ["read"]\n}\n';
    await send(child, 'PUT', 'sys/policies/acl/tf', { policy });
    expect((await send(child, 'GET', 'sys/policies/acl/tf')).body.data).toEqual({ name: 'tf', policy });
    expect((await send(child, 'GET', 'sys/policies/acl/nosuch')).status).toBe(404);
    const method = { type: 'approle', description: '', config: { options: null }, local: false };
    expect((await send(child, 'POST', 'sys/auth/tf', method)).status).toBe(204);
    expect((await send(child, 'GET', 'sys/mounts/auth/tf')).body.data.type).toBe('approle');
    expect((await send(child, 'GET', 'sys/auth')).body.data['tf/'].type).toBe('approle');
    expect((await send(child, 'GET', 'sys/internal/ui/mounts')).body.data.auth['tf/'].type).toBe('approle');
    await send(child, 'PUT', 'auth/tf/role/ci', {
      token_policies: ['tf'],
      token_ttl: 60,
      bind_secret_id: true,
    });
    expect((await send(child, 'GET', 'auth/tf/role/ci')).body.data).toMatchObject({
      token_policies: ['tf'],
      token_ttl: 60,
      token_max_ttl: 0,
      token_type: 'default',
      token_bound_cidrs: [],
      token_num_uses: 0,
      bind_secret_id: true,
    });
    expect((await send(child, 'GET', 'auth/tf/role/nosuch')).status).toBe(404);
    const written = await send(child, 'PUT', 'secret/data/tf', { data: { a: 'b' }, options: {} });
    expect(written.body.data).toMatchObject({ version: 1, destroyed: false, deletion_time: '' });
    expect((await send(child, 'GET', 'secret/metadata/tf')).body.data).toMatchObject({
      cas_required: false,
      custom_metadata: null,
      delete_version_after: '0s',
      max_versions: 0,
      current_version: 1,
    });
    expect((await send(child, 'DELETE', 'sys/auth/tf')).status).toBe(204);
  });
});

describe('External Secrets', () => {
  test('logs in by its service account, reads data and metadata, pushes, and gives its token back', async () => {
    const { env } = world;
    await root('POST', 'sys/auth/kubernetes', { type: 'kubernetes' });
    await root('PUT', 'auth/kubernetes/config', {
      kubernetes_host: env['KUBERNETES_HOST'],
      kubernetes_ca_cert: readFileSync(env['KUBERNETES_CA_FILE'] ?? '', 'utf8'),
    });
    await root('PUT', 'auth/kubernetes/role/eso', {
      bound_service_account_names: 'app',
      bound_service_account_namespaces: 'blue',
      token_policies: 'app',
      token_ttl: '10m',
    });
    await root('PUT', 'secret/data/eso', { data: { user: 'ann', nested: { deep: 'x' } } });
    await root('PUT', 'secret/metadata/eso', { custom_metadata: { owner: 'me' } });
    const login = await send('', 'PUT', 'auth/kubernetes/login', { jwt: env['KUBERNETES_JWT'], role: 'eso' });
    const token = login.body.auth.client_token;
    // What decides whether the token is used again.
    const { data: self } = (await send(token, 'GET', 'auth/token/lookup-self')).body;
    expect(self).toMatchObject({ type: 'service', ttl: expect.any(Number), expire_time: expect.any(String) });
    expect(self.ttl).toBeGreaterThan(60);
    const read = (await send(token, 'GET', 'secret/data/eso')).body.data;
    expect(read.data).toEqual({ user: 'ann', nested: { deep: 'x' } });
    expect(read.metadata).toMatchObject({ version: 1, custom_metadata: { owner: 'me' } });
    expect((await send(token, 'GET', 'secret/data/eso?version=1')).body.data.data.user).toBe('ann');
    expect((await send(token, 'GET', 'secret/metadata/eso')).body.data.custom_metadata).toEqual({
      owner: 'me',
    });
    expect((await send(token, 'GET', 'secret/metadata/?list=true')).body.data.keys).toContain('eso');
    expect((await send(token, 'GET', 'secret/data/nosuch')).status).toBe(404);

    expect((await send(token, 'GET', 'secret/metadata/pushed')).status).toBe(404);
    const mark = { custom_metadata: { 'managed-by': 'external-secrets' } };
    expect((await send(token, 'PUT', 'secret/metadata/pushed', mark)).status).toBe(204);
    const pushed = await send(token, 'PUT', 'secret/data/pushed', { data: { k: 'v' } });
    expect(pushed.body.data.version).toBe(1);
    expect((await send(token, 'DELETE', 'secret/data/pushed')).status).toBe(204);
    const deleted = await send(token, 'GET', 'secret/data/pushed');
    expect([deleted.status, deleted.body.data.data]).toEqual([404, null]);
    expect((await send(token, 'DELETE', 'secret/metadata/pushed')).status).toBe(204);
    expect((await send(token, 'PUT', 'auth/token/revoke-self', {})).status).toBe(204);
    expect((await send(token, 'GET', 'auth/token/lookup-self')).status).toBe(403);
  });
});

describe('cert-manager', () => {
  test('asks for the health, logs in by AppRole, has its request signed', async () => {
    await root('POST', 'sys/mounts/pki', { type: 'pki', config: { max_lease_ttl: '87600h' } });
    await root('PUT', 'pki/root/generate/internal', { common_name: 'Root', ttl: '87600h', key_type: 'ec' });
    await root('PUT', 'pki/roles/cm', { allow_any_name: true, key_type: 'any', max_ttl: '2160h' });
    const { status } = await send('', 'GET', 'sys/health');
    expect(status).toBe(200);
    const login = await send('', 'POST', 'auth/approle/login', await appRole('cm'));
    const dir = files({});
    const subject = ['-subj', '/CN=a.example.com', '-keyout', 'key.pem', '-out', 'csr.pem'];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    await openssl(['req', '-new', ...key, ...subject], '', dir);
    const signed = await send(login.body.auth.client_token, 'POST', 'pki/sign/cm', {
      common_name: 'a.example.com',
      alt_names: 'a.example.com,b.example.com',
      ip_sans: '10.0.0.1',
      uri_sans: 'spiffe://cluster/ns',
      ttl: '2160h0m0s',
      csr: readFileSync(join(dir, 'csr.pem'), 'utf8'),
      exclude_cn_from_sans: 'true',
    });
    expect(signed.status, JSON.stringify(signed.body)).toBe(200);
    const { certificate, issuing_ca, ca_chain } = signed.body.data;
    const leaf = new X509Certificate(certificate);
    expect(leaf.verify(new X509Certificate(issuing_ca).publicKey)).toBe(true);
    expect(leaf.publicKey.equals(createPublicKey(readFileSync(join(dir, 'key.pem'))))).toBe(true);
    expect(ca_chain).toEqual([issuing_ca]);
  });
});

describe('Vault Agent', () => {
  test('unwraps its secret ID, logs in with its token wrapped, renews it, and renders templates', async () => {
    const { role_id } = await appRole('agent');
    const wrapped = await send(
      'root',
      'PUT',
      'auth/approle/role/agent/secret-id',
      {},
      { 'X-Vault-Wrap-TTL': '60s' },
    );
    const { token: wrapping } = wrapped.body.wrap_info;
    const looked = await send(wrapping, 'PUT', 'sys/wrapping/lookup', { token: wrapping });
    expect(looked.body.data).toMatchObject({
      creation_path: 'auth/approle/role/agent/secret-id',
      creation_ttl: 60,
      creation_time: expect.any(String),
    });
    const { secret_id } = (await send(wrapping, 'PUT', 'sys/wrapping/unwrap', {})).body.data;
    const login = await send(
      '',
      'PUT',
      'auth/approle/login',
      { role_id, secret_id },
      { 'X-Vault-Wrap-TTL': '5m' },
    );
    expect(login.body).toMatchObject({
      auth: null,
      wrap_info: { ttl: 300, creation_path: 'auth/approle/login', wrapped_accessor: expect.any(String) },
    });
    const { auth } = (await send(login.body.wrap_info.token, 'PUT', 'sys/wrapping/unwrap', {})).body;
    expect(auth).toMatchObject({
      renewable: true,
      lease_duration: 3600,
      accessor: login.body.wrap_info.wrapped_accessor,
    });
    const renewed = await send(auth.client_token, 'PUT', 'auth/token/renew-self', { increment: 0 });
    expect(renewed.body.auth).toMatchObject({ client_token: auth.client_token, lease_duration: 3600 });

    // consul-template asks which version a mount is of before it reads.
    const preflight = await send(auth.client_token, 'GET', 'sys/internal/ui/mounts/secret/agent');
    expect(preflight.body.data).toMatchObject({ path: 'secret/', type: 'kv', options: { version: '2' } });
    await root('PUT', 'secret/data/agent', { data: { user: 'ann' } });
    expect((await send(auth.client_token, 'GET', 'secret/data/agent')).body.data.data.user).toBe('ann');
    const denied = await send(auth.client_token, 'GET', 'sys/internal/ui/mounts/nosuch');
    expect(denied.status).toBe(403);
  });
});
