import type { Clock } from '../../../lib/clock.ts';
import { isInBlocks } from '../../../lib/cidr.ts';
import type { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badCredentials, badRequest, type Response } from '../../logical/response.ts';
import { loginWith } from '../token-fields.ts';
import type { AppRole, AppRoleStore, SecretId } from './store.ts';

const MESSAGE = 'invalid role or secret ID';
const unknownRole = badRequest(MESSAGE);
const wrong = badCredentials(MESSAGE);

/** login: a role ID, and a secret ID where the role wants one. */
export function loginPaths(store: AppRoleStore, clock: Clock, locks: KeyedMutex): Path[] {
  return [
    path({
      pattern: 'login',
      synopsis: 'Issue a token based on the credentials supplied.',
      access: 'unauthenticated',
      fields: {
        role_id: { type: 'string', description: 'Unique identifier of the role.', default: '' },
        secret_id: { type: 'string', description: 'SecretID belonging to the role.', default: '' },
      },
      loginName: ({ role_id }) => role_id.trim() || undefined,
      operations: {
        update: {
          summary: 'Log in.',
          handler: async (request, values) => {
            const roleId = values.role_id.trim();
            const secretId = values.secret_id.trim();
            if (roleId === '') return badRequest('missing role_id');
            const role = await store.byRoleId(roleId);
            if (role === undefined) return unknownRole;
            if (!role.bindSecretId) return login(role, undefined, request.remoteAddress);
            if (secretId === '') return badRequest('missing secret_id');
            // Uses are counted one after the other: a secret ID with one use left logs in once.
            return locks.run(role.name, async () => {
              const secret = await store.secretId(role, secretId);
              if (secret === undefined) return wrong;
              const now = Math.floor(clock.now() / 1000);
              if (secret.expires !== 0 && secret.expires <= now) {
                await store.deleteSecretId(role, secret);
                return wrong;
              }
              if (!isInBlocks(request.remoteAddress, secret.cidrs)) {
                return elsewhere(
                  `source address "${request.remoteAddress}" unauthorized through CIDR restrictions on the secret ID`,
                );
              }
              if (secret.numUses === 1) await store.deleteSecretId(role, secret);
              else if (secret.numUses > 1)
                await store.putSecretId(role, { ...secret, numUses: secret.numUses - 1, updated: now });
              return login(role, secret, request.remoteAddress);
            });
          },
        },
      },
    }),
  ];
}

function login(role: AppRole, secret: SecretId | undefined, remoteAddress: string): Response {
  if (![role.secretIdBoundCidrs, role.token.boundCidrs].every((blocks) => isInBlocks(remoteAddress, blocks)))
    return elsewhere(`source address "${remoteAddress}" unauthorized by CIDR restrictions on the role`);
  const granted = loginWith(role.token, remoteAddress);
  return {
    kind: 'login',
    login: {
      ...granted,
      boundCidrs:
        secret === undefined || secret.tokenCidrs.length === 0 ? granted.boundCidrs : secret.tokenCidrs,
      displayName: '',
      meta: { ...secret?.metadata, role_name: role.name },
      alias: { name: role.roleId, metadata: { ...secret?.metadata, role_name: role.name } },
      groups: [],
      renewal: {},
    },
  };
}

function elsewhere(error: string): Response {
  return { kind: 'refusal', status: 403, errors: [error] };
}
