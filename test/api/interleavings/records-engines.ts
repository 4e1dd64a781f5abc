import { del, get, lasting, patch, plain, post, type Record } from './races.ts';

const TOTP = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
const DATABASE = {
  plugin_name: 'postgresql-database-plugin',
  connection_url: 'postgresql://{{username}}:{{password}}@127.0.0.1:1/x',
  username: 'u',
  password: 'p',
  verify_connection: false,
};

/** Of secrets engines. */
export function engines(): Record[] {
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

/** Of the system backend. */
export function system(): Record[] {
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
