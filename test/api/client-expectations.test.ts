import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
const call = (...args: Parameters<TestEngine['call']>): ReturnType<TestEngine['call']> =>
  engine.call(...args);
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await call('POST', 'sys/mounts/pki', { type: 'pki' });
  await call('POST', 'sys/mounts/transit', { type: 'transit' });
  await call('POST', 'sys/auth/approle', { type: 'approle' });
  await call('POST', 'sys/auth/ldap', { type: 'ldap' });
});
afterAll(() => engine.stop());

// Terraform sends what its provider has as a default.
test('an LDAP configuration takes -1 for pages', async () => {
  const { status } = await call('POST', 'auth/ldap/config', { url: 'ldap://127.0.0.1', max_page_size: -1 });
  expect(status).toBe(204);
  expect((await call('GET', 'auth/ldap/config')).body.data.max_page_size).toBe(-1);
});

test('a header that is not audited is told in the words that Terraform looks for', async () => {
  expect(await call('GET', 'sys/config/auditing/request-headers/X-None')).toMatchObject({
    status: 400,
    body: { errors: ['Could not find header in config'] },
  });
});

test('the accessor of a wrapped token or secret ID is told', async () => {
  await call('POST', 'auth/approle/role/app', { token_policies: 'default' });
  const wrap = { 'X-Vault-Wrap-TTL': '60' };
  const secret = await call('POST', 'auth/approle/role/app/secret-id', {}, engine.root, wrap);
  const { token, wrapped_accessor: accessor } = secret.body.wrap_info;
  const unwrapped = await call('POST', 'sys/wrapping/unwrap', { token });
  expect(accessor).toBe(unwrapped.body.data.secret_id_accessor);
  expect(accessor).toMatch(/^[0-9a-f-]{36}$/);
  const made = await call('POST', 'auth/token/create', {}, engine.root, wrap);
  expect(made.body.wrap_info.wrapped_accessor).toMatch(/^\w{24}$/);
  const other = await call('POST', 'transit/keys/k', {}, engine.root, wrap);
  expect(other.body.wrap_info.wrapped_accessor).toBeUndefined();
});

test('secret IDs of a role that is gone: 500, and 404 for an accessor', async () => {
  const lookup = async (role: string): Promise<number> =>
    (await call('POST', `auth/approle/role/${role}/secret-id-accessor/lookup`, { secret_id_accessor: 'x' }))
      .status;
  expect([await lookup('gone'), await lookup('app')]).toEqual([500, 404]);
});

test('every mount tells the version of its plugin', async () => {
  for (const path of ['sys/mounts', 'sys/auth'])
    for (const [name, mount] of Object.entries<any>((await call('GET', path)).body.data))
      expect(mount.running_plugin_version, name).toMatch(/^v\d+\.\d+\.\d+\+builtin\.vault$/);
  const catalog = (await call('GET', 'sys/plugins/catalog')).body.data.detailed;
  for (const plugin of catalog) expect(plugin.version).toMatch(/^v\d+\.\d+\.\d+\+builtin\.vault$/);
});

test('there is a delta list, empty where deltas are off', async () => {
  await call('POST', 'pki/root/generate/internal', { common_name: 'Root', ttl: '240h' });
  await call('POST', 'pki/roles/web', { allow_any_name: true, ttl: '1h' });
  const issued = await call('POST', 'pki/issue/web', { common_name: 'a.example' });
  await call('POST', 'pki/revoke', { serial_number: issued.body.data.serial_number });
  const read = async (path: string): Promise<string> => {
    const response = await fetch(`${engine.address}/v1/pki/${path}`);
    expect(response.status).toBe(200);
    const input = Buffer.from(await response.arrayBuffer());
    return execFileSync('openssl', ['crl', '-inform', 'DER', '-noout', '-text'], { input }).toString();
  };
  const delta = await read('crl/delta');
  expect(delta).toContain('No Revoked Certificates');
  expect(delta).toContain('Delta CRL Indicator');
  expect(await read('crl')).toContain('Serial Number');
});

const weak: readonly (readonly string[])[] = [
  ['-newkey', 'rsa:2048', '-sha1'],
  ['-newkey', 'rsa:2048', '-md5'],
  ['-newkey', 'rsa:2048', '-sha1', '-sigopt', 'rsa_padding_mode:pss'],
  ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-sha1'],
];
const strong: readonly (readonly string[])[] = [
  ['-newkey', 'rsa:2048', '-sha256'],
  ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-sha384'],
  ['-newkey', 'ed25519'],
];
function csrOf(options: readonly string[]): string {
  const request = ['req', '-new', '-nodes', '-keyout', '/dev/null', '-subj', '/CN=a.example', ...options];
  return execFileSync('openssl', request, { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
}

test('a request signed with SHA-1 or MD5 is refused wherever one is taken', async () => {
  await call('POST', 'transit/keys/rsa', { type: 'rsa-2048' });
  await call('POST', 'pki/roles/any', { allow_any_name: true, key_type: 'any', ttl: '1h' });
  const paths = [
    'pki/sign/any',
    'pki/sign-verbatim/any',
    'pki/root/sign-intermediate',
    'pki/issuer/default/sign/any',
    'transit/keys/rsa/csr',
  ];
  for (const [options, expected] of [
    ...weak.map((each) => [each, 400] as const),
    ...strong.map((each) => [each, 200] as const),
  ])
    for (const path of paths) {
      const { status } = await call('POST', path, { csr: csrOf(options), common_name: 'a.example' });
      expect(status, `${path} ${options.join(' ')}`).toBe(expected);
    }
});
