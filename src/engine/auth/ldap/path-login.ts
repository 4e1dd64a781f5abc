import { isInBlocks } from '../../../lib/cidr.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badCredentials, badRequest, permissionDenied, type Response } from '../../logical/response.ts';
import { loginWith } from '../token-fields.ts';
import { authenticate, comparable } from './authenticate.ts';
import type { LdapStore } from './store.ts';

/** login/: a user name and password of the directory for a token. */
export function loginPaths(store: LdapStore): Path[] {
  return [
    path({
      pattern: 'login/*username',
      synopsis: 'Log in with a username and password.',
      access: 'unauthenticated',
      fields: {
        username: { type: 'string', description: 'User name at the directory.', required: true },
        password: { type: 'string', description: 'Password for this user.', default: '' },
      },
      loginName: (values) => comparable(values.username).toLowerCase(),
      operations: {
        update: {
          summary: 'Log in.',
          handler: async (request, values): Promise<Response> => {
            const { username, password } = values;
            if (username === '') return badRequest('missing username');
            const config = await store.config();
            if (!isInBlocks(request.remoteAddress, config.token.boundCidrs)) return permissionDenied;
            const found = await authenticate(store, config, username, password);
            if ('failed' in found)
              return found.wrongCredentials ? badCredentials(found.failed) : badRequest(found.failed);
            const granted = loginWith(config.token, request.remoteAddress);
            return {
              kind: 'login',
              login: {
                ...granted,
                policies: [...new Set([...granted.policies, ...found.policies])],
                displayName: username,
                meta: { username },
                alias: { name: found.aliasName, metadata: { name: username } },
                groups: found.groups,
                renewal: { password },
              },
              ...(found.warnings.length === 0 ? {} : { warnings: found.warnings }),
            };
          },
        },
      },
    }),
  ];
}
