import { type Backend, PathTable } from '../../logical/logical.ts';
import { type AuthMounts, mfaEnforcementPaths } from './mfa/path-enforcement.ts';
import { mfaMethodPaths } from './mfa/path-method.ts';
import { mfaSecretPaths } from './mfa/path-secret.ts';
import { createOidc, type OidcOptions } from './oidc/context.ts';
import { oidcPaths } from './oidc/oidc.ts';
import { aliasPaths } from './path-entity-alias.ts';
import { entityPaths } from './path-entity.ts';
import { groupAliasPaths } from './path-group-alias.ts';
import { groupPaths } from './path-group.ts';
import { lookupPaths } from './path-lookup.ts';
import { mergePaths } from './path-merge.ts';
import type { Mounts } from './render.ts';

/**
 * The API of the identity store.
 *
 * I1  Names are the store's; this only reads requests and renders what is there.
 * I2  A mount is shown with an alias while the mount is there.
 */
export function createIdentity(options: OidcOptions, mounts: Mounts, auth: AuthMounts): Backend {
  const { records } = options.identity;
  const oidc = createOidc(options);
  return {
    type: 'identity',
    paths: new PathTable([
      ...mergePaths(records, mounts),
      ...entityPaths(records, mounts),
      ...aliasPaths(records, mounts),
      ...groupPaths(records, mounts),
      ...groupAliasPaths(records, mounts),
      ...lookupPaths(records, mounts),
      ...oidcPaths(oidc),
      ...mfaSecretPaths(options.identity),
      ...mfaMethodPaths(options.identity),
      ...mfaEnforcementPaths(options.identity, auth),
    ]),
  };
}
