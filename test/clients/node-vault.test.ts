import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { World } from './support/world.ts';

type Client = { token: string } & Record<string, (...args: unknown[]) => Promise<any>>;
const nodeVault = createRequire(import.meta.url)('node-vault') as (options: object) => Client;

let world: World;
let root: Client;
beforeAll(async () => {
  world = await World.start();
  root = client('root');
  await call(root, 'addPolicy', { name: 'app', rules: 'path "secret/data/app" { capabilities = ["read"] }' });
});
afterAll(() => world.stop());

function client(token: string, more: object = {}): Client {
  const ca = pem('VAULT_CACERT');
  return nodeVault({ endpoint: world.vault.address, token, requestOptions: { ca, ...more } });
}

function pem(variable: string): string {
  return readFileSync(world.env[variable] ?? '', 'utf8');
}

function call(of: Client, name: string, ...args: unknown[]): Promise<any> {
  const method = of[name];
  if (method === undefined) throw new Error(`node-vault has no ${name}`);
  return method.call(of, ...args);
}

const refused = (statusCode: number): object => ({ response: { statusCode } });

describe('node-vault and the system', () => {
  test('states, mounts, policies, audit devices and keys', async () => {
    expect((await call(root, 'status')).sealed).toBe(false);
    expect((await call(root, 'health')).initialized).toBe(true);
    expect((await call(root, 'leader')).ha_enabled).toBe(false);
    expect((await call(root, 'help', 'secret')).help).toBeTypeOf('string');
    await call(root, 'mount', { mount_point: 'old', type: 'kv', description: 'of old' });
    expect((await call(root, 'mounts')).data['old/'].description).toBe('of old');
    await call(root, 'remount', { from: 'old', to: 'older' });
    await call(root, 'unmount', { mount_point: 'older' });
    expect((await call(root, 'getPolicy', { name: 'app' })).rules).toContain('secret/data/app');
    await call(root, 'addPolicy', { name: 'gone', rules: 'path "x" { capabilities = ["read"] }' });
    await call(root, 'removePolicy', { name: 'gone' });
    expect((await call(root, 'policies')).policies).not.toContain('gone');
    const options = { file_path: world.env['AUDIT_FILE'] };
    await call(root, 'enableAudit', { name: 'file', type: 'file', options });
    expect((await call(root, 'audits')).data['file/'].type).toBe('file');
    await call(root, 'disableAudit', { name: 'file' });
    await call(root, 'rotate');
  });

  test('a vault from its birth to a new root token', async () => {
    const fresh = nodeVault({ endpoint: world.env['FRESH_ADDR'], token: '' });
    expect(await call(fresh, 'initialized')).toEqual({ initialized: false });
    const made = await call(fresh, 'init', { secret_shares: 1, secret_threshold: 1 });
    const [key] = made.keys;
    expect((await call(fresh, 'unseal', { key, secret_shares: 1 })).sealed).toBe(false);
    fresh.token = made.root_token;
    const { nonce } = await call(fresh, 'generateRootInit', {});
    expect((await call(fresh, 'generateRootUpdate', { key, nonce })).complete).toBe(true);
    await call(fresh, 'generateRootInit', {});
    await call(fresh, 'generateRootCancel');
    await call(fresh, 'seal');
    expect((await call(fresh, 'status')).sealed).toBe(true);
  });
});

describe('node-vault and secrets engines', () => {
  test('KV v1 and v2', async () => {
    await call(root, 'mount', { mount_point: 'kv1', type: 'kv' });
    await call(root, 'write', 'kv1/a', { v: '1' });
    expect((await call(root, 'read', 'kv1/a')).data).toEqual({ v: '1' });
    await call(root, 'delete', 'kv1/a');
    await expect(call(root, 'read', 'kv1/a')).rejects.toMatchObject(refused(404));
    await call(root, 'write', 'secret/data/app', { data: { user: 'ann' } });
    await call(root, 'update', 'secret/data/app', { data: { more: 'x' } });
    expect((await call(root, 'read', 'secret/data/app')).data.data).toEqual({ user: 'ann', more: 'x' });
    expect((await call(root, 'list', 'secret/metadata')).data.keys).toEqual(['app']);
    await call(root, 'destroySecretVersions', { path: 'app', versions: [1] });
    expect((await call(root, 'read', 'secret/metadata/app')).data.versions['1'].destroyed).toBe(true);
  });

  test('transit', async () => {
    await call(root, 'mount', { mount_point: 'transit', type: 'transit' });
    await call(root, 'transitCreateKey', { name: 'box' });
    const plaintext = Buffer.from('plain').toString('base64');
    const { ciphertext } = (await call(root, 'encryptData', { name: 'box', plaintext })).data;
    expect((await call(root, 'decryptData', { name: 'box', ciphertext })).data.plaintext).toBe(plaintext);
    await call(root, 'write', 'transit/keys/box/rotate', {});
    expect((await call(root, 'rewrapData', { name: 'box', ciphertext })).data.ciphertext).toMatch(
      /^vault:v2:/,
    );
    expect((await call(root, 'transitReadKey', { name: 'box' })).data.latest_version).toBe(2);
    expect((await call(root, 'transitListKeys')).data.keys).toEqual(['box']);
    await call(root, 'write', 'transit/keys/box/config', { deletion_allowed: true });
    await call(root, 'transitDeleteKey', { name: 'box' });
  });

  test('PKI, SSH and TOTP', async () => {
    for (const type of ['pki', 'ssh', 'totp']) await call(root, 'mount', { mount_point: type, type });
    await call(root, 'write', 'pki/root/generate/internal', { common_name: 'Root', key_type: 'ec' });
    await call(root, 'write', 'pki/roles/web', { allow_any_name: true, key_type: 'ec', ttl: '1h' });
    const issued = await call(root, 'write', 'pki/issue/web', { common_name: 'a.example' });
    expect(issued.data.private_key).toContain('PRIVATE KEY');
    await call(root, 'write', 'ssh/config/ca', { generate_signing_key: true, key_type: 'ed25519' });
    await call(root, 'write', 'ssh/roles/login', {
      key_type: 'ca',
      allow_user_certificates: true,
      allowed_users: '*',
      default_user: 'ubuntu',
    });
    const public_key = pem('SSH_PUBLIC_KEY_FILE');
    const signed = await call(root, 'write', 'ssh/sign/login', { public_key });
    expect(signed.data.signed_key).toMatch(/^ssh-ed25519-cert/);
    await call(root, 'write', 'totp/keys/ann', { generate: true, issuer: 'Vault', account_name: 'ann' });
    const { code } = (await call(root, 'read', 'totp/code/ann')).data;
    expect((await call(root, 'write', 'totp/code/ann', { code })).data.valid).toBe(true);
  });

  test('a database, with its leases', async () => {
    const { env } = world;
    await call(root, 'mount', { mount_point: 'database', type: 'database' });
    await call(root, 'write', 'database/config/main', {
      plugin_name: 'postgresql-database-plugin',
      allowed_roles: 'app',
      connection_url: env['DATABASE_URL'],
      username: env['DATABASE_USER'],
      password: env['DATABASE_PASSWORD'],
    });
    await call(root, 'write', 'database/roles/app', {
      db_name: 'main',
      creation_statements: `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}'`,
      default_ttl: '1h',
    });
    const made = await call(root, 'generateDatabaseCredentials', { databasePath: 'database', name: 'app' });
    expect(made).toMatchObject({ lease_duration: 3600, renewable: true });
    const renewed = await call(root, 'renew', { lease_id: made.lease_id, increment: 600 });
    expect(renewed.lease_duration).toBe(600);
    // It takes 202 for a failure.
    const { lease_id } = made;
    await call(root, 'write', 'sys/leases/revoke', { lease_id, sync: true });
    await expect(call(root, 'renew', { lease_id })).rejects.toThrow('lease not found');
  });
});

describe('node-vault and logins', () => {
  const loggedIn = async (answer: any): Promise<void> => {
    const own = client(answer.auth.client_token);
    expect((await call(own, 'tokenLookupSelf')).data.policies).toContain('app');
    await call(own, 'tokenRenewSelf', { increment: 60 });
  };
  const enable = (type: string) => call(root, 'enableAuth', { mount_point: type, type });

  test('tokens', async () => {
    const made = (await call(client('root'), 'tokenCreate', { policies: ['app'], ttl: '1h' })).auth;
    const token = made.client_token;
    expect((await call(root, 'tokenLookup', { token })).data.policies).toEqual(['app', 'default']);
    expect((await call(root, 'tokenLookupAccessor', { accessor: made.accessor })).data.id).toBe('');
    // It takes on every token that it is told of.
    expect((await call(client('root'), 'tokenRenew', { token, increment: 7200 })).auth.lease_duration).toBe(
      7200,
    );
    expect((await call(root, 'tokenAccessors')).data.keys).toContain(made.accessor);
    await call(root, 'tokenRevoke', { token });
    const second = (await call(client('root'), 'tokenCreateOrphan', { policies: ['app'] })).auth;
    await call(root, 'tokenRevokeAccessor', { accessor: second.accessor });
    await call(root, 'addTokenRole', { role_name: 'ci', allowed_policies: 'app' });
    expect((await call(root, 'getTokenRole', { role_name: 'ci' })).data.allowed_policies).toEqual(['app']);
    expect((await call(root, 'tokenRoles')).data.keys).toEqual(['ci']);
    const third = (await call(client('root'), 'tokenCreateRole', { role_name: 'ci' })).auth;
    await call(root, 'tokenRevokeOrphan', { token: third.client_token });
    await call(root, 'removeTokenRole', { role_name: 'ci' });
  });

  test('userpass, ldap and approle', async () => {
    for (const type of ['userpass', 'ldap', 'approle']) await enable(type);
    expect(Object.keys((await call(root, 'auths')).data)).toContain('approle/');
    await call(root, 'write', 'auth/userpass/users/ann', { password: 'canary-pw', token_policies: 'app' });
    await loggedIn(await call(client(''), 'userpassLogin', { username: 'ann', password: 'canary-pw' }));
    const wrong = call(client(''), 'userpassLogin', { username: 'ann', password: 'x' });
    await expect(wrong).rejects.toThrow('invalid username or password');

    const { env } = world;
    await call(root, 'write', 'auth/ldap/config', {
      url: env['LDAP_URL'],
      userdn: env['LDAP_USERDN'],
      userattr: 'uid',
      groupdn: env['LDAP_GROUPDN'],
    });
    await call(root, 'write', 'auth/ldap/groups/devs', { policies: 'app' });
    const person = { username: env['LDAP_USER'], password: env['LDAP_PASSWORD'] };
    await loggedIn(await call(client(''), 'ldapLogin', person));

    const role_name = 'app';
    await call(root, 'addApproleRole', { role_name, policies: 'app' });
    expect((await call(root, 'approleRoles')).data.keys).toEqual(['app']);
    expect((await call(root, 'getApproleRole', { role_name })).data.bind_secret_id).toBe(true);
    const { role_id } = (await call(root, 'getApproleRoleId', { role_name })).data;
    const { secret_id, secret_id_accessor } = (await call(root, 'getApproleRoleSecret', { role_name })).data;
    expect((await call(root, 'approleSecretAccessors', { role_name })).data.keys).toEqual([
      secret_id_accessor,
    ]);
    expect((await call(root, 'approleSecretLookup', { role_name, secret_id })).data.secret_id_accessor).toBe(
      secret_id_accessor,
    );
    await loggedIn(await call(client(''), 'approleLogin', { role_id, secret_id }));
    await call(root, 'approleSecretAccessorDestroy', { role_name, secret_id_accessor });
    await expect(call(client(''), 'approleLogin', { role_id, secret_id })).rejects.toMatchObject(
      refused(400),
    );
    await call(root, 'updateApproleRoleId', { role_name, role_id: 'mine' });
    expect((await call(root, 'getApproleRoleId', { role_name })).data.role_id).toBe('mine');
    await call(root, 'deleteApproleRole', { role_name });
  });

  test('kubernetes, jwt and cert', async () => {
    for (const type of ['kubernetes', 'jwt', 'cert']) await enable(type);
    const { env } = world;
    await call(root, 'write', 'auth/kubernetes/config', {
      kubernetes_host: env['KUBERNETES_HOST'],
      kubernetes_ca_cert: pem('KUBERNETES_CA_FILE'),
    });
    const at = { role_name: 'app', mount_point: 'kubernetes' };
    // Its own method for this throws before it sends anything.
    await call(root, 'write', 'auth/kubernetes/role/app', {
      bound_service_account_names: 'app',
      bound_service_account_namespaces: 'blue',
      policies: 'app',
    });
    expect((await call(root, 'getKubernetesRole', at)).data.token_policies).toEqual(['app']);
    await loggedIn(
      await call(client(''), 'kubernetesLogin', { ...at, role: 'app', jwt: env['KUBERNETES_JWT'] }),
    );
    await call(root, 'deleteKubernetesRole', at);

    await call(root, 'write', 'auth/jwt/config', { jwt_validation_pubkeys: pem('JWT_KEY_FILE') });
    await call(root, 'write', 'auth/jwt/role/app', {
      role_type: 'jwt',
      user_claim: 'sub',
      bound_audiences: 'vault',
      token_policies: 'app',
    });
    await loggedIn(await call(client(''), 'jwtLogin', { role: 'app', jwt: env['JWT'] }));

    await call(root, 'write', 'auth/cert/certs/app', {
      certificate: pem('CLIENT_CA_FILE'),
      token_policies: 'app',
    });
    const holder = client('', { cert: pem('CLIENT_CERT_FILE'), key: pem('CLIENT_KEY_FILE') });
    expect((await call(holder, 'certLogin', {})).auth.policies).toContain('app');
    await call(root, 'disableAuth', { mount_point: 'cert' });
  });

  test('wrapped answers', async () => {
    const headers = { 'X-Vault-Wrap-TTL': '1m' };
    const wrapped = await call(root, 'read', 'secret/metadata?list=true', { headers });
    const opened = await call(client(''), 'unwrap', { token: wrapped.wrap_info.token }).catch(
      (error: unknown) => error,
    );
    expect(opened).toMatchObject(refused(403));
    expect((await call(root, 'unwrap', { token: wrapped.wrap_info.token })).data.keys).toEqual(['app']);
  });
});
