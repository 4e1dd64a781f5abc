import { type Backend, PathTable } from '../../logical/logical.ts';
import { createPaths } from './path-create.ts';
import { lookupPaths } from './path-lookup.ts';
import { renewPaths } from './path-renew.ts';
import { revokePaths } from './path-revoke.ts';
import { rolePaths } from './path-roles.ts';
import type { TokenPort } from './port.ts';
import { RoleStore } from './role.ts';
import type { Storage } from '../../logical/storage.ts';

/** The token auth method: tokens make, look up, renew and revoke tokens. */
export function createTokenAuth(tokens: TokenPort, storage: Storage): Backend {
  const roles = new RoleStore(storage);
  return {
    type: 'token',
    paths: new PathTable([
      ...createPaths(tokens, roles),
      ...lookupPaths(tokens),
      ...renewPaths(tokens),
      ...revokePaths(tokens),
      ...rolePaths(roles),
    ]),
  };
}
