import type { IdentityStore } from '../../identity/store.ts';
import { type Backend, PathTable } from '../../logical/logical.ts';
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
export function createIdentity(store: IdentityStore, mounts: Mounts): Backend {
  const { records } = store;
  return {
    type: 'identity',
    paths: new PathTable([
      ...mergePaths(records, mounts),
      ...entityPaths(records, mounts),
      ...aliasPaths(records, mounts),
      ...groupPaths(records, mounts),
      ...groupAliasPaths(records, mounts),
      ...lookupPaths(records, mounts),
    ]),
  };
}
