import { text, utf8 } from '../../../lib/bytes.ts';
import { type JsonObject, parseJson } from '../../../lib/json.ts';
import { type Backend, path, PathTable } from '../../logical/logical.ts';
import type { LogicalRequest } from '../../logical/request.ts';
import {
  badRequest,
  data,
  empty,
  keys,
  notFound,
  permissionDenied,
  type Response,
} from '../../logical/response.ts';
import { clear, type Storage } from '../../logical/storage.ts';

/** Private storage of one token: named by the token's hash, gone with the token. */
export function createCubbyhole(storage: Storage): Backend {
  const key = (request: LogicalRequest, name: string): string | undefined =>
    request.token === undefined ? undefined : `${request.token.hash}/${name}`;
  const withKey = async (
    request: LogicalRequest,
    name: string,
    act: (key: string) => Promise<Response>,
  ): Promise<Response> => {
    if (request.token?.type === 'batch')
      return badRequest('cubbyhole operations are only supported by "service" type tokens');
    const full = key(request, name);
    return full === undefined ? permissionDenied : act(full);
  };

  return {
    type: 'cubbyhole',
    paths: new PathTable([
      path({
        pattern: '*path',
        arbitrary: true,
        synopsis: 'Pass-through secret storage to a token-specific cubbyhole in the storage backend.',
        fields: {
          path: { type: 'string', description: 'Specifies the path of the secret.', required: true },
        },
        exists: async (request, fields) => {
          const full = key(request, fields.path);
          return full !== undefined && (await storage.get(full)) !== undefined;
        },
        operations: {
          read: {
            summary: 'Retrieve the secret at the specified location.',
            handler: (request, fields) =>
              withKey(request, fields.path, async (full) => {
                const bytes = await storage.get(full);
                return bytes === undefined ? notFound : data(parseJson(text(bytes)) as JsonObject);
              }),
          },
          list: {
            summary: 'List secret entries at the specified location.',
            handler: (request, fields) =>
              withKey(request, fields.path, async (full) => {
                const prefix = full.endsWith('/') ? full : `${full}/`;
                return keys(await storage.list(prefix));
              }),
          },
          update: {
            summary: 'Store a secret at the specified location.',
            handler: (request, fields) =>
              withKey(request, fields.path, async (full) => {
                if (fields.path === '') return badRequest('missing path');
                if (Object.keys(request.body).length === 0) return badRequest('missing data fields');
                await storage.put(full, utf8(JSON.stringify(request.body)));
                return empty;
              }),
          },
          delete: {
            summary: 'Deletes the secret at the specified location.',
            handler: (request, fields) =>
              withKey(request, fields.path, async (full) => {
                await storage.delete(full);
                return empty;
              }),
          },
        },
      }),
    ]),
  };
}

/** Removes a token's cubbyhole. */
export function clearCubbyhole(storage: Storage, tokenHash: string): Promise<void> {
  return clear(storage, `${tokenHash}/`);
}
