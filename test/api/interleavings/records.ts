import { del, get, lasting, patch, plain, post, type Record } from './races.ts';
import type { World } from './world.ts';

const TOTP = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
const DATABASE = {
  plugin_name: 'postgresql-database-plugin',
  connection_url: 'postgresql://{{username}}:{{password}}@127.0.0.1:1/x',
  username: 'u',
  password: 'p',
  verify_connection: false,
};

/** What entries need that only a running vault can make. */
export interface Made {
  readonly certificate: string;
  readonly publicKey: string;
  readonly crl: string;
  /** Of an auth mount. */
  readonly accessor: string;
}

export async function prepare(world: World): Promise<Made> {
  const root = await world.done('POST', 'pki/root/generate/internal', {
    common_name: 'races',
    ttl: '1h',
    key_type: 'ec',
  });
  await world.done('POST', 'transit/keys/jwt', { type: 'ecdsa-p256' });
  return {
    certificate: root.data.certificate,
    publicKey: (await world.done('GET', 'transit/keys/jwt')).data.keys['1'].public_key,
    crl: (await world.done('GET', 'pki/cert/crl')).data.certificate,
    accessor: (await world.done('GET', 'sys/auth')).data['userpass/'].accessor,
  };
}

/** Everything that clients write, one entry a record. `{}` is its name; `{id}` what the first answer calls `id`. */
export function records({ certificate, publicKey, crl, accessor }: Made): Record[] {
  return [...methods(certificate, publicKey, crl), ...identity(accessor), ...engines(), ...system()];
}

function methods(certificate: string, publicKey: string, crl: string): Record[] {
  const jwtRole = { role_type: 'jwt', user_claim: 'sub', bound_audiences: 'a' };
  const cel = { cel_program: { expression: '"a" == "a"' } };
  return [
    {
      name: 'user',
      made: [post('auth/userpass/users/{}', { password: 'p', token_policies: 'a', token_ttl: '1h' })],
      changes: [
        post('auth/userpass/users/{}', { token_policies: 'b' }),
        post('auth/userpass/users/{}', { token_max_ttl: '2h' }),
        post('auth/userpass/users/{}/password', { password: 'q' }),
        post('auth/userpass/users/{}/policies', { token_policies: 'c' }),
        del('auth/userpass/users/{}'),
      ],
      looks: [get('auth/userpass/users/{}'), post('auth/userpass/login/{}', { password: 'p' })],
    },
    {
      name: 'approle',
      made: [
        post('auth/approle/role/{}', { role_id: 'id-{}', token_policies: 'a', token_ttl: '1h' }),
        post('auth/approle/role/{}/custom-secret-id', { secret_id: 's-{}', num_uses: 5 }),
      ],
      changes: [
        post('auth/approle/role/{}', { token_ttl: '2h' }),
        post('auth/approle/role/{}/policies', { token_policies: 'b' }),
        del('auth/approle/role/{}/policies'),
        post('auth/approle/role/{}/role-id', { role_id: 'other-{}' }),
        post('auth/approle/role/{}/custom-secret-id', { secret_id: 't-{}' }),
        post('auth/approle/role/{}/secret-id/destroy', { secret_id: 's-{}' }),
        post('auth/approle/login', { role_id: 'id-{}', secret_id: 's-{}' }),
        post('auth/approle/tidy/secret-id'),
        del('auth/approle/role/{}'),
      ],
      looks: [
        get('auth/approle/role/{}'),
        get('auth/approle/role/{}/role-id'),
        post('auth/approle/role/{}/secret-id/lookup', { secret_id: 's-{}' }),
        post('auth/approle/role/{}/secret-id/lookup', { secret_id: 't-{}' }),
      ],
    },
    ...[
      'bind-secret-id',
      'secret-id-num-uses',
      'secret-id-ttl',
      'secret-id-bound-cidrs',
      'bound-cidr-list',
      'token-bound-cidrs',
      'token-num-uses',
      'token-ttl',
      'token-max-ttl',
      'period',
    ].map(
      (part): Record => ({
        name: `approle ${part}`,
        made: [post('auth/approle/role/{}', { role_id: 'id-{}' })],
        changes: [
          post(`auth/approle/role/{}/${part}`, { [part.replaceAll('-', '_')]: PARTS[part] ?? 7 }),
          del('auth/approle/role/{}'),
        ],
        looks: [get('auth/approle/role/{}')],
      }),
    ),
    lasting('auth/cert/config', { ocsp_cache_size: 10 }, { ocsp_cache_size: 20 }, { disable_binding: true }),
    plain(
      'auth/cert/certs/{}',
      { certificate, token_policies: 'a' },
      { certificate, token_policies: 'b' },
      { certificate, token_ttl: '1h' },
    ),
    plain('auth/cert/crls/{}', { crl }, { crl }, { crl }),
    lasting(
      'auth/jwt/config',
      { jwt_validation_pubkeys: publicKey },
      { jwt_validation_pubkeys: publicKey, bound_issuer: 'a' },
      { jwt_validation_pubkeys: publicKey, bound_issuer: 'b' },
    ),
    plain('auth/jwt/role/{}', jwtRole, { ...jwtRole, token_policies: 'b' }, { ...jwtRole, token_ttl: '1h' }),
    {
      ...plain('auth/jwt/cel/role/{}', cel, { ...cel, message: 'a' }, { ...cel, message: 'b' }),
      changes: [
        post('auth/jwt/cel/role/{}', { ...cel, message: 'a' }),
        patch('auth/jwt/cel/role/{}', { message: 'b' }),
        del('auth/jwt/cel/role/{}'),
      ],
    },
    lasting(
      'auth/kubernetes/config',
      { kubernetes_host: 'https://a' },
      { kubernetes_host: 'https://b' },
      { kubernetes_host: 'https://c' },
    ),
    plain(
      'auth/kubernetes/role/{}',
      { bound_service_account_names: 'a', bound_service_account_namespaces: 'b' },
      { token_policies: 'b' },
      { token_ttl: '1h' },
    ),
    lasting('auth/ldap/config', { url: 'ldap://a' }, { userdn: 'b' }, { groupdn: 'c' }),
    plain('auth/ldap/users/{}', { policies: 'a' }, { policies: 'b' }, { groups: 'g' }),
    plain('auth/ldap/groups/{}', { policies: 'a' }, { policies: 'b' }, { policies: 'c' }),
    plain('auth/token/roles/{}', { allowed_policies: 'a' }, { orphan: true }, { token_period: '1h' }),
  ];
}

const PARTS: Readonly<{ [name: string]: unknown }> = {
  'bind-secret-id': true,
  'secret-id-bound-cidrs': '10.0.0.0/8',
  'bound-cidr-list': '10.0.0.0/8',
  'token-bound-cidrs': '10.0.0.0/8',
};

function identity(accessor: string): Record[] {
  const looks = [get('identity/entity/name/{}'), get('identity/entity/id/{id}')];
  const alias = { name: 'alias-{}', canonical_id: '{id}', mount_accessor: accessor };
  return [
    {
      name: 'entity',
      made: [post('identity/entity', { name: '{}', policies: 'a' })],
      changes: [
        post('identity/entity/name/{}', { policies: 'b' }),
        post('identity/entity/id/{id}', { metadata: { a: 'x' } }),
        post('identity/entity', { id: '{id}', disabled: true }),
        post('identity/entity-alias', alias),
        post('identity/entity/batch-delete', { entity_ids: ['{id}'] }),
        del('identity/entity/id/{id}'),
        del('identity/entity/name/{}'),
      ],
      looks: [...looks, post('identity/lookup/entity', { name: '{}' })],
    },
    ...['entity-alias', 'alias', 'persona'].map(
      (kind): Record => ({
        name: kind,
        made: [
          post('identity/entity', { name: '{}' }),
          { ...post(`identity/${kind}`, { ...alias, entity_id: '{id}' }), as: 'aliasId' },
        ],
        changes: [
          post(`identity/${kind}/id/{aliasId}`, {
            name: 'alias-{}',
            mount_accessor: accessor,
            custom_metadata: { a: 'x' },
          }),
          post(`identity/${kind}`, { ...alias, entity_id: '{id}' }),
          del(`identity/${kind}/id/{aliasId}`),
          del('identity/entity/id/{id}'),
        ],
        looks: [get(`identity/${kind}/id/{aliasId}`), ...looks],
      }),
    ),
    {
      name: 'group',
      made: [post('identity/group', { name: '{}', policies: 'a' })],
      changes: [
        post('identity/group/name/{}', { policies: 'b' }),
        post('identity/group/id/{id}', { metadata: { a: 'x' } }),
        post('identity/group', { id: '{id}', metadata: { b: 'y' } }),
        del('identity/group/id/{id}'),
        del('identity/group/name/{}'),
      ],
      looks: [get('identity/group/name/{}'), get('identity/group/id/{id}')],
    },
    {
      name: 'group alias',
      made: [
        post('identity/group', { name: '{}', type: 'external' }),
        { ...post('identity/group-alias', alias), as: 'aliasId' },
      ],
      changes: [
        post('identity/group-alias/id/{aliasId}', { ...alias, name: 'new-{}' }),
        del('identity/group-alias/id/{aliasId}'),
        del('identity/group/id/{id}'),
      ],
      looks: [get('identity/group-alias/id/{aliasId}'), get('identity/group/id/{id}')],
    },
    lasting(
      'identity/oidc/config',
      { issuer: 'https://a' },
      { issuer: 'https://b' },
      { issuer: 'https://c' },
    ),
    {
      ...plain(
        'identity/oidc/key/{}',
        { allowed_client_ids: 'a' },
        { allowed_client_ids: 'b' },
        { rotation_period: '2h' },
      ),
      changes: [
        post('identity/oidc/key/{}', { allowed_client_ids: 'b' }),
        post('identity/oidc/key/{}', { rotation_period: '2h' }),
        post('identity/oidc/key/{}/rotate'),
        // A role that names the key, or the key's end: never a role without its key.
        post('identity/oidc/role/{}', { key: '{}', client_id: 'c' }),
        del('identity/oidc/key/{}'),
      ],
      looks: [get('identity/oidc/key/{}'), get('identity/oidc/role/{}')],
    },
    {
      ...plain('identity/oidc/role/{}', {}, {}, {}),
      made: [post('identity/oidc/key/{}', {}), post('identity/oidc/role/{}', { key: '{}', client_id: 'c' })],
      changes: [
        post('identity/oidc/role/{}', { ttl: '1h' }),
        post('identity/oidc/role/{}', { client_id: 'd' }),
        del('identity/oidc/role/{}'),
        del('identity/oidc/key/{}'),
      ],
    },
    plain('identity/oidc/scope/{}', { description: 'a' }, { description: 'b' }, { template: '{"a":"b"}' }),
    {
      ...plain('identity/oidc/assignment/{}', { entity_ids: 'a' }, { entity_ids: 'b' }, { group_ids: 'g' }),
      changes: [
        post('identity/oidc/assignment/{}', { entity_ids: 'b' }),
        post('identity/oidc/assignment/{}', { group_ids: 'g' }),
        post('identity/oidc/client/{}', { assignments: '{}', key: 'default' }),
        del('identity/oidc/assignment/{}'),
      ],
      looks: [get('identity/oidc/assignment/{}'), get('identity/oidc/client/{}')],
    },
    plain(
      'identity/oidc/client/{}',
      { key: 'default' },
      { redirect_uris: 'https://b' },
      { id_token_ttl: '1h' },
    ),
    plain(
      'identity/oidc/provider/{}',
      { issuer: 'https://a' },
      { issuer: 'https://b' },
      { allowed_client_ids: '*' },
    ),
    {
      name: 'second factor',
      made: [{ ...post('identity/mfa/method/totp', { issuer: 'a', method_name: '{}' }), as: 'methodId' }],
      changes: [
        post('identity/mfa/method/totp/{methodId}', { issuer: 'b' }),
        post('identity/mfa/method/totp/{methodId}', { period: 60 }),
        post('identity/mfa/method/totp', { method_id: '{methodId}', digits: 8 }),
        post('identity/mfa/login-enforcement/{}', {
          mfa_method_ids: ['{methodId}'],
          auth_method_types: ['cert'],
        }),
        del('identity/mfa/method/totp/{methodId}'),
      ],
      looks: [get('identity/mfa/method/totp/{methodId}'), get('identity/mfa/login-enforcement/{}')],
    },
    {
      name: 'enforcement',
      made: [
        { ...post('identity/mfa/method/totp', { issuer: 'a', method_name: '{}' }), as: 'methodId' },
        post('identity/mfa/login-enforcement/{}', {
          mfa_method_ids: ['{methodId}'],
          auth_method_types: ['cert'],
        }),
      ],
      changes: [
        post('identity/mfa/login-enforcement/{}', {
          mfa_method_ids: ['{methodId}'],
          auth_method_types: ['jwt'],
        }),
        post('identity/mfa/login-enforcement/{}', {
          mfa_method_ids: ['{methodId}'],
          auth_method_accessors: [accessor],
        }),
        del('identity/mfa/login-enforcement/{}'),
        del('identity/mfa/method/totp/{methodId}'),
      ],
      looks: [get('identity/mfa/login-enforcement/{}'), get('identity/mfa/method/totp/{methodId}')],
    },
  ];
}

function engines(): Record[] {
  const ca = { key_type: 'ca', allow_user_certificates: true };
  return [
    plain('cubbyhole/{}', { a: 1 }, { b: 2 }, { c: 3 }),
    plain('kv-v1/{}', { a: 1 }, { b: 2 }, { c: 3 }),
    lasting('kv-v2/config', { max_versions: 5 }, { cas_required: false }, { max_versions: 7 }),
    {
      name: 'kv v2',
      made: [post('kv-v2/data/{}', { data: { a: 'x' } }), post('kv-v2/data/{}', { data: { a: 'y' } })],
      changes: [
        post('kv-v2/data/{}', { data: { b: 'z' } }),
        post('kv-v2/data/{}', { data: { c: 'z' }, options: { cas: 2 } }),
        patch('kv-v2/data/{}', { data: { d: 'z' } }),
        del('kv-v2/data/{}'),
        post('kv-v2/delete/{}', { versions: [1] }),
        post('kv-v2/undelete/{}', { versions: [1] }),
        post('kv-v2/destroy/{}', { versions: [1] }),
        post('kv-v2/metadata/{}', { max_versions: 2 }),
        patch('kv-v2/metadata/{}', { custom_metadata: { a: 'x' } }),
        del('kv-v2/metadata/{}'),
      ],
      looks: [get('kv-v2/data/{}'), get('kv-v2/metadata/{}')],
    },
    plain(
      'database/config/{}',
      { ...DATABASE },
      { ...DATABASE, allowed_roles: 'a' },
      { ...DATABASE, password_policy: '' },
    ),
    plain(
      'database/roles/{}',
      { db_name: 'a', creation_statements: 'x' },
      { default_ttl: '1h' },
      { max_ttl: '2h' },
    ),
    {
      ...plain('pki/roles/{}', {}, {}, {}),
      made: [post('pki/roles/{}', { allowed_domains: 'a' })],
      changes: [
        post('pki/roles/{}', { allowed_domains: 'b' }),
        patch('pki/roles/{}', { ttl: '1h' }),
        patch('pki/roles/{}', { allow_subdomains: true }),
        del('pki/roles/{}'),
      ],
    },
    {
      name: 'pki issuer',
      made: [
        {
          ...post('pki/issuers/generate/root/internal', {
            common_name: '{}',
            key_type: 'ec',
            issuer_name: 'i-{}',
          }),
          as: 'issuer_id',
        },
        { ...get('pki/issuer/{issuer_id}'), as: 'key_id' },
      ],
      changes: [
        post('pki/issuer/{issuer_id}', { issuer_name: 'n-{}' }),
        patch('pki/issuer/{issuer_id}', { leaf_not_after_behavior: 'truncate' }),
        patch('pki/issuer/{issuer_id}', { usage: 'read-only' }),
        patch('pki/issuer/{issuer_id}', { issuing_certificates: 'http://a' }),
        post('pki/key/{key_id}', { key_name: 'k-{}' }),
        del('pki/key/{key_id}'),
        del('pki/issuer/{issuer_id}'),
      ],
      looks: [get('pki/issuer/{issuer_id}'), get('pki/key/{key_id}')],
    },
    lasting('pki/config/urls', {}, { issuing_certificates: 'http://a' }, { ocsp_servers: 'http://b' }),
    lasting('pki/config/cluster', {}, { path: 'https://a' }, { aia_path: 'http://b' }),
    lasting('pki/config/crl', {}, { expiry: '24h' }, { ocsp_expiry: '2h' }),
    lasting('pki/config/auto-tidy', {}, { tidy_cert_store: true }, { safety_buffer: '2h' }),
    {
      ...plain('ssh/config/zeroaddress', {}, {}, {}),
      made: [post('ssh/roles/{}', { key_type: 'otp', default_user: 'u', cidr_list: '10.0.0.0/8' })],
      changes: [
        post('ssh/config/zeroaddress', { roles: '{}' }),
        del('ssh/config/zeroaddress'),
        del('ssh/roles/{}'),
      ],
      looks: [get('ssh/config/zeroaddress'), get('ssh/roles/{}')],
    },
    plain('ssh/roles/{}', { ...ca, ttl: '1h' }, { ...ca, ttl: '2h' }, { ...ca, max_ttl: '3h' }),
    {
      name: 'ssh issuer',
      made: [
        del('ssh/config/ca'),
        { ...post('ssh/config/ca', { generate_signing_key: true, key_type: 'ed25519' }), as: 'issuer_id' },
      ],
      changes: [
        post('ssh/issuer/{issuer_id}', { issuer_name: 'a-{}' }),
        post('ssh/issuer/{issuer_id}', { issuer_name: 'b-{}' }),
        post('ssh/config/issuers', { default: '{issuer_id}' }),
        del('ssh/issuer/{issuer_id}'),
        del('ssh/config/ca'),
      ],
      looks: [get('ssh/issuer/{issuer_id}'), get('ssh/config/issuers')],
    },
    plain(
      'totp/keys/{}',
      { key: TOTP, account_name: 'a' },
      { key: TOTP, account_name: 'b' },
      { key: TOTP, account_name: 'c' },
    ),
    {
      name: 'transit key',
      made: [
        post('transit/keys/{}', { type: 'aes256-gcm96' }),
        post('transit/keys/{}/config', { deletion_allowed: true }),
      ],
      changes: [
        post('transit/keys/{}', { type: 'aes256-gcm96' }),
        post('transit/keys/{}/rotate'),
        post('transit/keys/{}/config', { exportable: true }),
        post('transit/keys/{}/config', { auto_rotate_period: '2h' }),
        post('transit/keys/{}/config', { deletion_allowed: false }),
        del('transit/keys/{}/soft-delete'),
        post('transit/keys/{}/soft-delete-restore'),
        post('transit/encrypt/{}', { plaintext: 'YQ==' }),
        del('transit/keys/{}'),
      ],
      looks: [get('transit/keys/{}')],
    },
    lasting(
      'transit/config/keys',
      { disable_upsert: false },
      { disable_upsert: true },
      { disable_upsert: false },
    ),
    lasting('transit/cache-config', { size: 100 }, { size: 200 }, { size: 300 }),
  ];
}

function system(): Record[] {
  const rule = 'path "a" { capabilities = ["read"] }';
  const other = 'path "b" { capabilities = ["read"] }';
  return [
    {
      name: 'policy',
      made: [post('sys/policies/acl/{}', { policy: rule })],
      changes: [
        post('sys/policies/acl/{}', { policy: other }),
        patch('sys/policies/acl/{}', { policy: other }),
        post('sys/policy/{}', { policy: rule }),
        del('sys/policies/acl/{}'),
        del('sys/policy/{}'),
      ],
      looks: [get('sys/policies/acl/{}'), get('sys/policy/{}')],
    },
    plain(
      'sys/policies/password/{}',
      { policy: PASSWORDS(20) },
      { policy: PASSWORDS(21) },
      { policy: PASSWORDS(22) },
    ),
    plain(
      'sys/quotas/rate-limit/{}',
      { path: 'kv-v1/{}', rate: 1000 },
      { path: 'kv-v1/{}', rate: 2000 },
      { path: 'kv-v1/{}', rate: 3000, interval: '2s' },
    ),
    plain(
      'sys/quotas/lease-count/{}',
      { path: 'database/{}', max_leases: 10 },
      { path: 'database/{}', max_leases: 20 },
      { path: 'database/{}', max_leases: 30 },
    ),
    lasting(
      'sys/quotas/config',
      { enable_rate_limit_audit_logging: false },
      { enable_rate_limit_audit_logging: true },
      { rate_limit_exempt_paths: ['sys/health'] },
    ),
    plain(
      'sys/config/cors',
      { allowed_origins: 'https://a' },
      { allowed_origins: 'https://b' },
      { allowed_origins: 'https://c' },
    ),
    plain('sys/config/ui/headers/X-{}', { values: 'a' }, { values: 'b' }, { values: 'c' }),
    plain('sys/config/auditing/request-headers/X-{}', { hmac: true }, { hmac: false }, { hmac: true }),
    lasting(
      'sys/rotate/config',
      { max_operations: 2_000_000 },
      { max_operations: 3_000_000 },
      { interval: '48h' },
    ),
    lasting(
      'sys/rotate/keyring/config',
      { max_operations: 2_000_000 },
      { max_operations: 3_000_000 },
      { interval: '48h' },
    ),
    {
      name: 'mount',
      made: [post('sys/mounts/{}', { type: 'kv', description: 'a' })],
      changes: [
        post('sys/mounts/{}/tune', { description: 'b' }),
        post('sys/mounts/{}/tune', { default_lease_ttl: '1h' }),
        post('{}/x', { a: 1 }),
        post('sys/mounts/{}', { type: 'kv', description: 'c' }),
        del('sys/mounts/{}'),
      ],
      looks: [get('sys/mounts/{}'), get('{}/x')],
    },
    {
      name: 'auth mount',
      made: [
        post('sys/auth/{}', { type: 'userpass', description: 'a' }),
        post('auth/{}/users/u', { password: 'p' }),
      ],
      changes: [
        post('sys/auth/{}/tune', { description: 'b' }),
        post('sys/auth/{}/tune', { default_lease_ttl: '1h' }),
        post('auth/{}/users/u', { token_policies: 'c' }),
        del('sys/auth/{}'),
      ],
      looks: [get('sys/auth/{}'), get('auth/{}/users/u')],
    },
  ];
}

function PASSWORDS(length: number): string {
  return `length = ${length}\nrule "charset" { charset = "abcdefghijklmnopqrstuvwxyz" }`;
}
