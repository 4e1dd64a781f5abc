import { isInBlocks } from '../../../lib/cidr.ts';
import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import type { Random } from '../../../lib/random.ts';
import { type Backend, path, PathTable } from '../../logical/logical.ts';
import {
  badCredentials,
  badRequest,
  data,
  empty,
  keys,
  notFound,
  permissionDenied,
  type Response,
} from '../../logical/response.ts';
import { getJson, jsonPut, type Storage } from '../../logical/storage.ts';
import {
  type GivenTokenFields,
  loginWith,
  noTokenParameters,
  olderTokenFields,
  readTokenFields,
  renderTokenFields,
  tokenFields,
  type TokenParameters,
} from '../token-fields.ts';
import { givenHash, hashPassword, isPassword, type PasswordHash } from './password.ts';

interface User {
  readonly password: PasswordHash;
  readonly token: TokenParameters;
}

const username = { type: 'string', description: 'Username for this user.', required: true } as const;
const password = { type: 'string', description: 'Password for this user.', default: '' } as const;
const password_hash = {
  type: 'string',
  description: 'A bcrypt hash of the password, instead of it.',
  default: '',
} as const;
const { policies, bound_cidrs, ttl, max_ttl } = olderTokenFields;
const older = { policies, bound_cidrs, ttl, max_ttl } as const;

/** Users with passwords, kept as scrypt hashes. */
export function createUserpass(storage: Storage, random: Random): Backend {
  const locks = new KeyedMutex();
  const find = (name: string): Promise<User | undefined> =>
    getJson<User>(storage, `user/${name.toLowerCase()}`);
  const save = (name: string, user: User): Promise<void> =>
    storage.write([jsonPut(`user/${name.toLowerCase()}`, user)]);

  const write = (
    name: string,
    given: GivenTokenFields,
    { password: text, password_hash: made }: { readonly password: string; readonly password_hash: string },
  ): Promise<Response> =>
    locks.run(name.toLowerCase(), async () => {
      const before = await find(name);
      if (text !== '' && made !== '')
        return badRequest('only one of password or password_hash may be provided');
      if (before === undefined && text === '' && made === '') return badRequest('missing password');
      const token = readTokenFields(before?.token ?? noTokenParameters, given);
      if (typeof token === 'string') return badRequest(token);
      const taken = made === '' ? undefined : givenHash(made);
      if (typeof taken === 'string') return badRequest(taken);
      const hash = taken ?? (text === '' ? before?.password : await hashPassword(text, random));
      if (hash === undefined) return badRequest('missing password');
      await save(name, { password: hash, token });
      return empty;
    });

  return {
    type: 'userpass',
    renewLogin: async (entry) => {
      const user = await find(entry.meta?.['username'] ?? '');
      if (user === undefined) return { refused: 'the user no longer exists' };
      const now = new Set(user.token.policies);
      if (!user.token.noDefaultPolicy) now.add('default');
      return now.size === entry.policies.length && entry.policies.every((name) => now.has(name))
        ? undefined
        : { refused: 'policies have changed, not renewing' };
    },
    paths: new PathTable([
      path({
        pattern: 'users',
        synopsis: 'Manage users allowed to authenticate.',
        fields: {},
        operations: {
          list: { summary: 'List the users.', handler: async () => keys(await storage.list('user/')) },
        },
      }),
      path({
        pattern: 'users/:username',
        synopsis: 'Manage users allowed to authenticate.',
        fields: { username, password, password_hash, ...tokenFields, ...older },
        exists: async (_request, values) => (await find(values.username)) !== undefined,
        operations: {
          read: {
            summary: 'Read a user, without the password.',
            handler: async (_request, values) => {
              const user = await find(values.username);
              return user === undefined ? notFound : data(renderTokenFields(user.token));
            },
          },
          update: {
            summary: 'Create or change a user.',
            handler: (_request, values) => write(values.username, values, values),
          },
          delete: {
            summary: 'Delete a user.',
            handler: async (_request, values) => {
              await storage.delete(`user/${values.username.toLowerCase()}`);
              return empty;
            },
          },
        },
      }),
      path({
        pattern: 'users/:username/password',
        record: 'users/:username',
        synopsis: "Reset user's password.",
        fields: { username, password, password_hash },
        operations: {
          update: {
            summary: 'Set a password.',
            handler: async (_request, values) => {
              if ((await find(values.username)) === undefined) return badRequest('username does not exist');
              if (values.password === '' && values.password_hash === '')
                return badRequest('missing password');
              return write(values.username, {}, values);
            },
          },
        },
      }),
      path({
        pattern: 'users/:username/policies',
        record: 'users/:username',
        synopsis: 'Update the policies associated with the username.',
        fields: { username, policies, token_policies: tokenFields.token_policies },
        operations: {
          update: {
            summary: 'Set the policies.',
            handler: async (_request, values) => {
              if ((await find(values.username)) === undefined) return badRequest('username does not exist');
              return write(values.username, values, { password: '', password_hash: '' });
            },
          },
        },
      }),
      path({
        pattern: 'login/:username',
        synopsis: 'Log in with a username and password.',
        access: 'unauthenticated',
        fields: { username, password },
        loginName: (values) => values.username.toLowerCase(),
        operations: {
          update: {
            summary: 'Log in.',
            handler: async (request, values) => {
              if (values.password === '') return badRequest('missing password');
              const user = await find(values.username);
              if (!(await isPassword(values.password, user?.password)) || user === undefined)
                return badCredentials('invalid username or password');
              if (!isInBlocks(request.remoteAddress, user.token.boundCidrs)) return permissionDenied;
              const name = values.username.toLowerCase();
              return {
                kind: 'login',
                login: {
                  ...loginWith(user.token, request.remoteAddress),
                  displayName: name,
                  meta: { username: name },
                  alias: { name },
                  groups: [],
                  renewal: {},
                },
              };
            },
          },
        },
      }),
    ]),
  };
}
