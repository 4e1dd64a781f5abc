import type { Path } from '../../../logical/logical.ts';
import type { Oidc } from './context.ts';
import { configPaths } from './path-config.ts';
import { keyPaths } from './path-key.ts';
import { rolePaths } from './path-role.ts';
import { tokenPaths } from './path-token.ts';

/** Identity tokens: who holds a token of this engine, told to others as a JWT. */
export function oidcPaths(oidc: Oidc): Path[] {
  return [...configPaths(oidc), ...keyPaths(oidc), ...rolePaths(oidc), ...tokenPaths(oidc)];
}
