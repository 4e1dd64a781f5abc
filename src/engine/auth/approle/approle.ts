import type { Clock } from '../../../lib/clock.ts';
import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import type { Random } from '../../../lib/random.ts';
import { type Backend, PathTable } from '../../logical/logical.ts';
import type { Storage } from '../../logical/storage.ts';
import { loginPaths } from './path-login.ts';
import { rolePaths } from './path-role.ts';
import { secretIdPaths } from './path-secret-id.ts';
import { AppRoleStore } from './store.ts';

/** Logins of machines: a role ID, and a secret ID that can be limited in time, uses and addresses. */
export function createAppRole(storage: Storage, clock: Clock, random: Random): Backend {
  const store = new AppRoleStore(storage);
  const locks = new KeyedMutex();
  return {
    type: 'approle',
    renewLogin: async (entry) => {
      const role = await store.role(entry.meta?.['role_name'] ?? '');
      return role === undefined ? { refused: 'the role no longer exists' } : undefined;
    },
    paths: new PathTable([
      ...rolePaths(store, random, locks),
      ...secretIdPaths(store, clock, random, locks),
      ...loginPaths(store, clock, locks),
    ]),
  };
}
