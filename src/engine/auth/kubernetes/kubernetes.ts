import type { Clock } from '../../../lib/clock.ts';
import { type Backend, PathTable } from '../../logical/logical.ts';
import type { Storage } from '../../logical/storage.ts';
import { configPaths } from './path-config.ts';
import { loginPaths } from './path-login.ts';
import { rolePaths } from './path-role.ts';
import { KubernetesStore } from './store.ts';

/** Where a pod finds the token and the authority of its own cluster. */
const POD_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Logins of pods: a token of a service account, which its cluster's API server vouches for. */
export function createKubernetes(storage: Storage, clock: Clock): Backend {
  const store = new KubernetesStore(storage, POD_FOLDER);
  return {
    type: 'kubernetes',
    renewLogin: async (entry) => {
      const role = await store.role(entry.meta?.['role'] ?? '');
      return role === undefined ? { refused: 'the role no longer exists' } : undefined;
    },
    paths: new PathTable([...configPaths(store), ...rolePaths(store), ...loginPaths(store, clock)]),
  };
}
