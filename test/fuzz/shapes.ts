export const MB: number = 1024 * 1024;

/** What the requests are sent to. */
export const SETUP: readonly (readonly [string, object])[] = [
  ['sys/mounts/kv1', { type: 'kv' }],
  ['sys/mounts/kv2', { type: 'kv-v2' }],
  ['sys/mounts/transit', { type: 'transit' }],
  ['sys/mounts/pki', { type: 'pki' }],
  ['sys/mounts/ssh', { type: 'ssh' }],
  ['sys/mounts/totp', { type: 'totp' }],
  ['sys/mounts/db', { type: 'database' }],
  ['sys/auth/userpass', { type: 'userpass' }],
  ['sys/auth/approle', { type: 'approle' }],
  ['sys/auth/jwt', { type: 'jwt' }],
  ['sys/auth/cert', { type: 'cert' }],
  ['sys/auth/ldap', { type: 'ldap' }],
  ['auth/userpass/users/u', { password: 'correct horse' }],
  ['auth/approle/role/r', {}],
  ['transit/keys/k', {}],
  ['transit/keys/e', { type: 'ed25519' }],
  ['transit/keys/r', { type: 'rsa-2048' }],
  ['pki/root/generate/internal', { common_name: 'root', key_type: 'ec' }],
  ['pki/roles/any', { allow_any_name: true, enforce_hostnames: false, key_type: 'any' }],
  [
    'auth/token/roles/glob',
    { allowed_policies_glob: 'team-*-*-*-*-*-ro', allowed_entity_aliases: ['a*a*a*a*b'] },
  ],
];

const list = (count: number, each: (index: number) => string): string =>
  `[${Array.from({ length: count }, (_, index) => each(index)).join(',')}]`;
const object = (count: number, each: (index: number) => string): string =>
  `{${Array.from({ length: count }, (_, index) => `"k${index}":${each(index)}`).join(',')}}`;
const text = (length: number, of = 'a'): string => of.repeat(Math.ceil(length / of.length)).slice(0, length);
const field = (name: string, value: unknown): string => JSON.stringify({ [name]: value });
const base64url = (value: string): string => Buffer.from(value).toString('base64url');
const jwt = (claims: string): string => `${base64url('{"alg":"RS256"}')}.${base64url(claims)}.AAAA`;
const policy = (value: string): string => field('policy', value);

/** Bodies of every shape, as large as they may be or larger. */
const SHAPES: readonly (readonly [string, () => string])[] = [
  ['1.5 million members', () => object(1_500_000, () => '1')],
  ['4 million numbers', () => `{"a":${list(4_000_000, () => '1')}}`],
  ['long numbers', () => `{"a":${list(25, () => list(10_000, () => '12345678901234567890'))}}`],
  ['as many texts as there may be', () => `{"a":${list(24, () => list(10_000, (index) => `"t${index}"`))}}`],
  ['10,000 members', () => object(10_000, (index) => `"v${index}"`)],
  ['10,000 lists of lists', () => `{"a":${list(10_000, () => '[[[[]]]]')}}`],
  ['the deepest', () => `{"a":${'[['.repeat(149)}${']]'.repeat(149)}}`],
  ['16 million levels', () => `{"a":${'['.repeat(16_000_000)}`],
  ['one text of 32 MB', () => `{"a":"${text(32 * MB - 20)}"}`],
  ['31 texts of 1 MB', () => object(31, () => `"${text(MB)}"`)],
  ['31 texts of escapes', () => object(31, () => `"${text(MB, '\\u0000')}"`)],
  ['31 texts of digits', () => object(31, () => `"${text(MB, '1')}"`)],
  ['long names', () => `{${Array.from({ length: 31 }, (_, at) => `"${at}${text(MB - 9)}":1`).join(',')}}`],
  ['one number of 1 MB', () => `{"a":${text(MB - 1, '1')}}`],
  ['blanks', () => text(32 * MB, ' ')],
  ['no JSON', () => text(32 * MB, '\\"')],
];

const PLACES = ['kv1/a', 'auth/userpass/login/u', 'sys/wrapping/wrap', 'kv2/data/a', 'sys/unseal'] as const;

const HCL: readonly (readonly [string, () => string])[] = [
  ['many rules', () => text(MB, 'path "a/+/b*" { capabilities = ["read"] }\n')],
  ['many names', () => `path "a" { capabilities = [${text(MB - 60, '"read",')}] }`],
  ['open braces', () => text(MB, '{')],
  ['open brackets', () => `path "a" { capabilities = ${text(MB - 60, '[')}`],
  ['one comment', () => `/*${text(MB - 4, '/*')}`],
  ['one heredoc', () => `a = <<EOF\n${text(MB - 30, 'EO\n')}`],
  ['interpolations', () => `a = "${text(MB - 10, '${')}`],
  ['digits', () => `a = 0${text(MB - 10, '8')}`],
  ['blanks', () => text(MB, ' ')],
  ['one path', () => `path "${text(MB - 60, '+/')}" { capabilities = ["read"] }`],
  [
    'JSON',
    () =>
      `{"path":{${Array.from({ length: 20_000 }, (_, at) => `"p${at}":{"capabilities":["read"]}`).join(',')}}}`,
  ],
];

const CEL: readonly (readonly [string, string])[] = [
  ['nested quantifiers', `"${text(40)}!".matches("^(a+)+$")`],
  ['many repeats', `"${text(4000)}!".matches("(a?){1000}(a){1000}$")`],
  ['an open text', `"""${text(60, '\\\\')}`],
  ['a text that grows', `"aaaaaaaaaa"${text(20_000, '.replace("a","aaaaaaaaaa")')}`],
  ['a list that doubles', `${text(3000, '[1].map(a,[a,a])')} == [1]`],
  ['lists of lists', `[[1]]${text(20_000, '.map(a,[a,a])')} == [[1]]${text(20_000, '.map(a,[a,a])')}`],
  ['sums', `1${text(90_000, '+1')} > 0`],
  ['fields', `claims${text(90_000, '.a')} == 1`],
  ['comprehensions', `[1,2,3,4,5,6,7,8,9]${text(5000, '.filter(a,[1,2,3,4,5,6,7,8,9].all(b,a>b))')} == []`],
];

const NAMES: readonly (readonly [string, string])[] = [
  ['blanks', text(MB - 100, ' ')],
  ['slashes', text(MB - 100, '/')],
  ['equals', text(MB - 100, '=')],
  ['digits', text(MB - 100, '1')],
  ['commas', text(MB - 100, ',')],
  ['words', text(MB - 100, 'a,')],
  ['dashes', text(MB - 100, '-----BEGIN CERTIFICATE-----\n')],
  ['begins', text(MB - 100, '-----BEGIN ')],
  ['openings', text(MB - 100, '{{')],
  ['colons', text(MB - 100, ':')],
  ['dots', text(MB - 100, 'a.')],
  ['stars', text(MB - 100, '*a')],
];

/** Fields that are looked at closely: where, and what else is given. */
const FIELDS: readonly (readonly [string, string, object])[] = [
  ['auth/token/create', 'policies', {}],
  ['auth/token/create', 'ttl', {}],
  ['auth/token/create/glob', 'policies', {}],
  ['auth/token/create/glob', 'entity_alias', {}],
  ['auth/token/roles/x', 'allowed_policies_glob', {}],
  ['auth/token/roles/x', 'token_bound_cidrs', {}],
  ['auth/approle/role/x', 'secret_id_bound_cidrs', {}],
  ['auth/approle/role/r/secret-id', 'metadata', {}],
  ['auth/jwt/config', 'jwt_validation_pubkeys', {}],
  ['auth/jwt/role/x', 'bound_audiences', { role_type: 'jwt', user_claim: 'sub' }],
  ['auth/jwt/login', 'jwt', { role: 'x' }],
  ['auth/cert/certs/x', 'certificate', {}],
  ['auth/cert/crls/x', 'crl', {}],
  ['auth/ldap/config', 'userfilter', { url: 'ldap://127.0.0.1' }],
  ['auth/ldap/config', 'certificate', { url: 'ldap://127.0.0.1' }],
  ['auth/ldap/config', 'url', {}],
  ['auth/userpass/login/u', 'password', {}],
  ['auth/userpass/users/v', 'password_hash', {}],
  ['sys/policies/acl/p', 'policy', {}],
  ['sys/policies/password/p', 'policy', {}],
  ['sys/tools/hash', 'input', {}],
  ['sys/mounts/m', 'type', {}],
  ['sys/mounts/m', 'description', { type: 'kv' }],
  ['sys/remount', 'from', { to: 'x' }],
  ['sys/quotas/rate-limit/q', 'path', { rate: 1 }],
  ['sys/wrapping/lookup', 'token', {}],
  ['sys/leases/lookup', 'lease_id', {}],
  ['sys/config/cors', 'allowed_origins', { enabled: true }],
  ['identity/entity', 'name', {}],
  ['identity/entity', 'policies', {}],
  ['identity/oidc/role/x', 'template', { key: 'default' }],
  ['transit/encrypt/k', 'plaintext', {}],
  ['transit/decrypt/k', 'ciphertext', {}],
  ['transit/verify/e', 'signature', { input: 'AAAA' }],
  ['transit/restore/x', 'backup', {}],
  ['transit/keys/k/import', 'ciphertext', {}],
  ['pki/config/ca', 'pem_bundle', {}],
  ['pki/issue/any', 'common_name', {}],
  ['pki/issue/any', 'alt_names', { common_name: 'a' }],
  ['pki/issue/any', 'ip_sans', { common_name: 'a' }],
  ['pki/issue/any', 'uri_sans', { common_name: 'a' }],
  ['pki/issue/any', 'other_sans', { common_name: 'a' }],
  ['pki/issue/any', 'ttl', { common_name: 'a' }],
  ['pki/sign/any', 'csr', { common_name: 'a' }],
  ['pki/roles/x', 'allowed_domains', {}],
  ['pki/roles/x', 'cn_validations', {}],
  ['pki/ocsp', 'req', {}],
  ['pki/revoke', 'serial_number', {}],
  ['ssh/roles/x', 'allowed_users', { key_type: 'ca', allow_user_certificates: true }],
  ['ssh/config/ca', 'private_key', { public_key: 'x' }],
  ['totp/keys/x', 'url', {}],
  ['totp/keys/x', 'key', { issuer: 'i', account_name: 'a' }],
  ['db/config/x', 'connection_url', { plugin_name: 'postgresql-database-plugin' }],
  [
    'db/config/x',
    'allowed_roles',
    { plugin_name: 'mysql-database-plugin', connection_url: 'x', verify_connection: false },
  ],
  ['db/roles/x', 'creation_statements', { db_name: 'x' }],
];

const BATCHES: readonly (readonly [string, string])[] = [
  ['transit/encrypt/k', '{"plaintext":"AAAA"}'],
  ['transit/decrypt/k', '{"ciphertext":"vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}'],
  ['transit/rewrap/k', '{"ciphertext":"vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}'],
  ['transit/hmac/k', '{"input":"AAAA"}'],
  ['transit/sign/e', '{"input":"AAAA"}'],
  ['transit/sign/r', '{"input":"AAAA"}'],
  ['transit/verify/e', '{"input":"AAAA","signature":"vault:v1:AAAA"}'],
  ['transit/verify/k', '{"input":"AAAA","hmac":"vault:v1:AAAA"}'],
];

export interface Case {
  readonly what: string;
  readonly method: string;
  readonly path: string;
  readonly body: () => string;
  readonly headers?: Record<string, string>;
}

const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
const given = (name: string, value: string, more: object): string =>
  JSON.stringify({ ...more, [name]: value });

/** Every kind of place that looks at what a client sends, with every shape. */
export const cases: readonly Case[] = [
  ...PLACES.flatMap((path) =>
    SHAPES.map(([what, body]) => ({ what: `${path}: ${what}`, method: 'POST', path, body })),
  ),
  ...HCL.flatMap(([what, body]) => [
    { what: `ACL policy: ${what}`, method: 'POST', path: 'sys/policies/acl/p', body: () => policy(body()) },
    {
      what: `password policy: ${what}`,
      method: 'POST',
      path: 'sys/policies/password/p',
      body: () => policy(body()),
    },
  ]),
  ...CEL.flatMap(([what, expression]) => [
    {
      what: `CEL: ${what}`,
      method: 'POST',
      path: 'auth/jwt/cel/role/x',
      body: () => field('cel_program', { expression }),
    },
    {
      what: `PKI CEL: ${what}`,
      method: 'POST',
      path: 'pki/cel/roles/x',
      body: () => field('cel_program', { expression }),
    },
  ]),
  ...FIELDS.flatMap(([path, name, more]) =>
    NAMES.map(([what, value]) => ({
      what: `${path} ${name}: ${what}`,
      method: 'POST',
      path,
      body: () => given(name, value, more),
    })),
  ),
  ...BATCHES.map(([path, item]) => ({
    what: `${path}: 10,000 at once`,
    method: 'POST',
    path,
    body: () => `{"batch_input":${list(10_000, () => item)}}`,
  })),
  ...[
    ['many claims', () => jwt(object(60_000, () => '1'))] as const,
    ['deep claims', () => jwt(`{"a":${'['.repeat(300_000)}`)] as const,
    ['dots', () => text(MB - 100, '.')] as const,
  ].map(([what, token]) => ({
    what: `JWT: ${what}`,
    method: 'POST',
    path: 'auth/jwt/login',
    body: () => JSON.stringify({ role: 'x', jwt: token() }),
  })),
  {
    what: 'a form of 8 million fields',
    method: 'POST',
    path: 'kv1/a',
    body: () => text(32 * MB, 'a=1&'),
    headers: form,
  },
  {
    what: 'a form of escapes',
    method: 'POST',
    path: 'kv1/a',
    body: () => text(32 * MB, '%41'),
    headers: form,
  },
  { what: 'a query of parameters', method: 'GET', path: `sys/health?${text(15_000, 'a&')}`, body: () => '' },
  { what: 'a path of slashes', method: 'GET', path: `kv1/${text(1400, '/')}`, body: () => '' },
  { what: 'a path of escapes', method: 'GET', path: `kv1/${text(4200, '%41')}`, body: () => '' },
  {
    what: 'a header of blanks',
    method: 'GET',
    path: 'sys/health',
    body: () => '',
    headers: { 'X-Vault-Wrap-TTL': `1${text(15_000, ' ')}x`, Authorization: `Bearer${text(100, ' ')}` },
  },
  {
    what: 'a password policy of all characters',
    method: 'POST',
    path: 'sys/policies/password/p',
    body: () => {
      const all = Array.from({ length: 100_000 }, (_, at) => String.fromCodePoint(0x20000 + at)).join('');
      return policy(`length = 1000\nrule "charset" { charset = "${all}" min-chars = 1000 }`);
    },
  },
  {
    what: 'a password policy that is met too seldom',
    method: 'POST',
    path: 'sys/policies/password/p',
    body: () =>
      policy(`length = 1000\n${text(500_000, 'rule "charset" { charset = "ab" min-chars = 1 }\n')}
rule "charset" { charset = "c" min-chars = 900 }`),
  },
  {
    what: '10,000 policies of a token',
    method: 'POST',
    path: 'auth/token/create',
    body: () => `{"policies":${list(9_990, (index) => `"p${index}"`)}}`,
  },
  {
    what: '10,000 paths of capabilities',
    method: 'POST',
    path: 'sys/capabilities-self',
    body: () => `{"paths":${list(9_990, (index) => `"kv1/${index}"`)}}`,
  },
  {
    what: '10,000 names of a certificate',
    method: 'POST',
    path: 'pki/issue/any',
    body: () =>
      JSON.stringify({
        common_name: 'a',
        alt_names: Array.from({ length: 10_000 }, (_, at) => `a${at}.example.org`),
      }),
  },
  {
    what: '60,000 names of a certificate in one text',
    method: 'POST',
    path: 'pki/issue/any',
    body: () =>
      JSON.stringify({
        common_name: 'a',
        alt_names: Array.from({ length: 60_000 }, (_, at) => `a${at}.example.org`).join(','),
      }),
  },
  {
    what: '250,000 policies of a token in one text',
    method: 'POST',
    path: 'auth/token/create',
    body: () => field('policies', Array.from({ length: 120_000 }, (_, at) => `p${at}`).join(',')),
  },
  {
    what: 'a glob of stars for a long policy',
    method: 'POST',
    path: 'auth/token/create/glob',
    body: () => `{"policies":["team-${text(500_000, 'x-')}"]}`,
  },
  {
    what: '10,000 keys of shares',
    method: 'PUT',
    path: 'sys/rekey/init',
    body: () => `{"secret_shares":255,"secret_threshold":2,"pgp_keys":${list(255, () => `"${text(4000)}"`)}}`,
  },
];
