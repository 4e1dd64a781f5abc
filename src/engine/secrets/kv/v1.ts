import { parseDuration } from '../../../lib/duration.ts';
import { text, utf8 } from '../../../lib/bytes.ts';
import { type JsonObject, member, parseJson } from '../../../lib/json.ts';
import { type Backend, path, PathTable } from '../../logical/logical.ts';
import { readPage } from '../../logical/page.ts';
import { badRequest, empty, keys, notFound } from '../../logical/response.ts';
import type { Storage } from '../../logical/storage.ts';

/** KV version 1: one value a path, returned with a lease duration as advice. */
export function createKvV1(storage: Storage): Backend {
  return {
    type: 'kv',
    paths: new PathTable([
      path({
        pattern: '*path',
        arbitrary: true,
        synopsis:
          'Pass-through secret storage to the storage backend, allowing you to read/write arbitrary data into secret storage.',
        fields: { path: { type: 'string', description: 'Location of the secret.', required: true } },
        exists: async (_request, fields) => (await storage.get(fields.path)) !== undefined,
        operations: {
          read: {
            summary: 'Read the secret at the path.',
            handler: async (request, fields) => {
              const bytes = await storage.get(fields.path);
              if (bytes === undefined) return notFound;
              const value = parseJson(text(bytes)) as JsonObject;
              return {
                kind: 'advised',
                data: value,
                leaseDuration: leaseDuration(value, request.leaseTtl.default),
              };
            },
          },
          list: {
            summary: 'List the secrets below the path.',
            handler: async ({ query }, fields) => {
              const prefix =
                fields.path === '' || fields.path.endsWith('/') ? fields.path : `${fields.path}/`;
              return keys(await storage.list(prefix, readPage(query)));
            },
          },
          update: {
            summary: 'Write a secret to the path.',
            handler: async (request, fields) => {
              if (fields.path === '') return badRequest('missing path');
              if (Object.keys(request.body).length === 0) return badRequest('missing data fields');
              await storage.put(fields.path, utf8(JSON.stringify(request.body)));
              return empty;
            },
          },
          delete: {
            summary: 'Delete the secret at the path.',
            handler: async (_request, fields) => {
              if (fields.path !== '') await storage.delete(fields.path);
              return empty;
            },
          },
        },
      }),
    ]),
  };
}

// `ttl`, else `lease`, when it is a duration; the mount's default otherwise.
function leaseDuration(value: JsonObject, fallback: number): number {
  const given = member(value, 'ttl') ?? member(value, 'lease');
  const seconds = given === undefined ? undefined : parseDuration(given);
  return seconds === undefined || seconds <= 0 ? fallback : Math.trunc(seconds);
}
