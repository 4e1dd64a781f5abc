import type { Path } from '../../../logical/logical.ts';
import type { Oidc } from './context.ts';
import { configPaths } from './path-config.ts';
import { keyPaths } from './path-key.ts';
import { rolePaths } from './path-role.ts';
import { tokenPaths } from './path-token.ts';
import { assignmentPaths } from './provider/path-assignment.ts';
import { authorizePaths } from './provider/path-authorize.ts';
import { clientPaths } from './provider/path-client.ts';
import { exchangePaths } from './provider/path-exchange.ts';
import { providerPaths } from './provider/path-provider.ts';
import { scopePaths } from './provider/path-scope.ts';
import { userinfoPaths } from './provider/path-userinfo.ts';

/** Identity tokens, and the provider by which people sign in elsewhere with what they are here. */
export function oidcPaths(oidc: Oidc): Path[] {
  return [
    ...configPaths(oidc),
    ...keyPaths(oidc),
    ...rolePaths(oidc),
    ...tokenPaths(oidc),
    ...scopePaths(oidc),
    ...assignmentPaths(oidc),
    ...clientPaths(oidc),
    ...providerPaths(oidc),
    ...authorizePaths(oidc),
    ...exchangePaths(oidc),
    ...userinfoPaths(oidc),
  ];
}
