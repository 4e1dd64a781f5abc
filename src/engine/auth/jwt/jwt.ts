import type { Clock } from '../../../lib/clock.ts';
import type { Random } from '../../../lib/random.ts';
import { type Backend, PathTable } from '../../logical/logical.ts';
import type { Storage } from '../../logical/storage.ts';
import { Issuers } from './issuer.ts';
import { OidcRequests } from './oidc-requests.ts';
import { celLoginPaths } from './path-cel-login.ts';
import { celRolePaths } from './path-cel-role.ts';
import { callbackPaths } from './path-callback.ts';
import { configPaths } from './path-config.ts';
import { loginPaths } from './path-login.ts';
import { authUrlPaths } from './path-auth-url.ts';
import { pollPaths } from './path-poll.ts';
import { rolePaths } from './path-role.ts';
import { JwtStore } from './store.ts';

/** What the paths of a mount share. */
export interface JwtContext {
  readonly store: JwtStore;
  readonly issuers: Issuers;
  readonly requests: OidcRequests;
  readonly clock: Clock;
}

/** Logins by signed tokens of somebody else (RFC 7519), and by the browser at an OpenID provider. */
export function createJwt(storage: Storage, clock: Clock, random: Random): Backend {
  const context: JwtContext = {
    store: new JwtStore(storage),
    issuers: new Issuers(),
    requests: new OidcRequests(clock, random),
    clock,
  };
  return {
    type: 'jwt',
    renewLogin: async (entry) => {
      const { role: name, cel } = entry.login?.renewal ?? {};
      const key = typeof name === 'string' ? name : '';
      const role = cel === true ? await context.store.celRole(key) : await context.store.role(key);
      return role === undefined ? { refused: 'the role no longer exists' } : undefined;
    },
    paths: new PathTable([
      ...configPaths(context),
      ...rolePaths(context),
      ...loginPaths(context),
      ...authUrlPaths(context),
      ...callbackPaths(context),
      ...pollPaths(context),
      ...celRolePaths(context),
      ...celLoginPaths(context),
    ]),
  };
}
