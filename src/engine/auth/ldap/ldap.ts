import { type Backend, PathTable } from '../../logical/logical.ts';
import type { Storage } from '../../logical/storage.ts';
import { authenticate } from './authenticate.ts';
import { configPaths } from './path-config.ts';
import { groupPaths } from './path-groups.ts';
import { loginPaths } from './path-login.ts';
import { userPaths } from './path-users.ts';
import { LdapStore } from './store.ts';

/** Logins of a directory's users (LDAP, RFC 4511) by their passwords, with policies of their groups. */
export function createLdap(storage: Storage): Backend {
  const store = new LdapStore(storage);
  return {
    type: 'ldap',
    renewLogin: async (entry) => {
      const password = entry.login?.renewal['password'];
      const username = entry.meta?.['username'] ?? '';
      const config = await store.config();
      const found = await authenticate(store, config, username, typeof password === 'string' ? password : '');
      if ('failed' in found) return { refused: found.failed };
      const now = new Set([...config.token.policies, ...found.policies]);
      if (!config.token.noDefaultPolicy) now.add('default');
      return now.size === entry.policies.length && entry.policies.every((name) => now.has(name))
        ? undefined
        : { refused: 'policies have changed, not renewing' };
    },
    paths: new PathTable([
      ...configPaths(store),
      ...userPaths(store),
      ...groupPaths(store),
      ...loginPaths(store),
    ]),
  };
}
