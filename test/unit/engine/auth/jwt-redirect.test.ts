import { describe, expect, test } from 'vitest';
import { loginOf } from '../../../../src/engine/auth/jwt/identity.ts';
import { isAllowedRedirect, mountOf, splitNamespace } from '../../../../src/engine/auth/jwt/redirect.ts';
import type { JwtConfig, JwtRole } from '../../../../src/engine/auth/jwt/store.ts';
import { noTokenParameters } from '../../../../src/engine/auth/token-fields.ts';

describe('redirects', () => {
  test.each([
    ['https://a.example/cb', ['https://a.example/cb'], true],
    ['https://a.example/cb?x=1', ['https://a.example/cb'], false],
    ['https://a.example.evil/cb', ['https://a.example/cb'], false],
    ['https://a.example:8443/cb', ['https://a.example/cb'], false],
    ['http://localhost:1234/cb', ['http://localhost:8250/cb'], true],
    ['http://127.0.0.1:1/cb', ['http://127.0.0.1/cb'], true],
    ['http://[::1]:1/cb', ['http://[::1]:2/cb'], true],
    ['http://localhost:1/other', ['http://localhost:1/cb'], false],
    ['http://localhost@evil.example/cb', ['http://localhost/cb'], false],
    ['not a url', ['not a url'], false],
  ])('%s among %j: %s', (uri, allowed, expected) => {
    expect(isAllowedRedirect(uri, allowed)).toBe(expected);
  });

  test('namespaces and mounts are read from them', () => {
    expect(splitNamespace('https://a/cb?namespace=n&x=1')).toEqual({
      uri: 'https://a/cb?x=1',
      namespace: 'n',
    });
    expect(splitNamespace('https://a/cb')).toEqual({ uri: 'https://a/cb', namespace: '' });
    expect(mountOf('https://a/v1/auth/my-oidc/oidc/callback')).toBe('my-oidc');
    expect(mountOf('https://a/ui/vault/auth/x')).toBeUndefined();
  });
});

test.each([
  ['secureauth', 'a, b', ['a', 'b']],
  ['ibmisam', 'a b', ['a', 'b']],
  ['azure', 'a b', ['a b']],
  ['', ['x', 'y'], ['x', 'y']],
])('groups of %s are read from %j', (provider, groups, expected) => {
  const role = {
    userClaim: 'sub',
    groupsClaim: 'groups',
    boundClaimsType: 'string',
    boundClaims: null,
    claimMappings: null,
    token: noTokenParameters,
  } as unknown as JwtRole;
  const config = { providerConfig: { provider } } as unknown as JwtConfig;
  const login = loginOf({ config, role, roleName: 'r', claims: { sub: 's', groups }, remoteAddress: '' });
  expect('login' in login && login.login.groups).toEqual(expected);
});
