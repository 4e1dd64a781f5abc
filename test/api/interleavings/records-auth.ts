import { del, get, lasting, patch, plain, post, type Record } from './races.ts';

/** Of auth methods and of identity. */
export function methods(certificate: string, publicKey: string, crl: string): Record[] {
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

/** @param accessor of an auth mount */
export function identity(accessor: string): Record[] {
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
