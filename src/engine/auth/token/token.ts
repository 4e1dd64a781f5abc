import { type Backend, PathTable } from '../../logical/logical.ts';
import { createPaths } from './path-create.ts';
import { lookupPaths } from './path-lookup.ts';
import { renewPaths } from './path-renew.ts';
import { revokePaths } from './path-revoke.ts';
import type { TokenPort } from './port.ts';

/** The token auth method: tokens make, look up, renew and revoke tokens. */
export function createTokenAuth(tokens: TokenPort): Backend {
  return {
    type: 'token',
    paths: new PathTable([
      ...createPaths(tokens),
      ...lookupPaths(tokens),
      ...renewPaths(tokens),
      ...revokePaths(tokens),
    ]),
  };
}
