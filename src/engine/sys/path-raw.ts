import { fromBase64, text, toBase64, utf8 } from '../../lib/bytes.ts';
import { type Path, path } from '../logical/logical.ts';
import { badRequest, data, empty, keys, notFound } from '../logical/response.ts';
import type { Storage } from '../logical/storage.ts';

/** Keys hang on these: whoever could write them could destroy everything, and reading gains nothing. */
const PROTECTED = [
  'core/keyring',
  'core/hsm/',
  'core/seal-config',
  'core/recovery-config',
  'core/recovery-key',
  'core/seal-wrap/',
];

/** raw: what lies behind the barrier, decrypted. Only where `raw_storage_endpoint` is set. */
export function rawStoragePaths(storage: Storage): Path[] {
  const isProtected = (key: string): boolean => PROTECTED.some((each) => key.startsWith(each));
  return ['raw', 'raw/*path'].map((pattern) =>
    path({
      pattern,
      synopsis:
        'Write, Read, and Delete data directly in the Storage backend; only with raw_storage_endpoint.',
      access: 'sudo',
      fields: {
        path: { type: 'string', description: 'The key in storage.', default: '', query: true },
        value: { type: 'string', description: 'The value.', default: '' },
        encoding: { type: 'string', description: 'base64, or text when empty.', default: '', query: true },
        compressed: { type: 'bool', description: 'Accepted; nothing here is compressed.', query: true },
        compression_type: { type: 'string', description: 'Accepted; nothing here is compressed.' },
      },
      operations: {
        read: {
          summary: 'Read the value of the key at the given path.',
          handler: async (_request, { path: key, encoding }) => {
            if (isProtected(key)) return badRequest(`cannot read '${key}'`);
            if (!isEncoding(encoding)) return badRequest(`invalid encoding ${JSON.stringify(encoding)}`);
            const value = await storage.get(key);
            if (value === undefined) return notFound;
            return data({ value: encoding === 'base64' ? toBase64(value) : text(value) });
          },
        },
        update: {
          summary: 'Update the value of the key at the given path.',
          handler: async (_request, { path: key, value, encoding }) => {
            if (isProtected(key)) return badRequest(`cannot write '${key}'`);
            if (!isEncoding(encoding)) return badRequest(`invalid encoding ${JSON.stringify(encoding)}`);
            const bytes = encoding === 'base64' ? fromBase64(value) : utf8(value);
            if (bytes === undefined) return badRequest('the value is not valid base64');
            await storage.put(key, bytes);
            return empty;
          },
        },
        delete: {
          summary: 'Delete the key with given path.',
          handler: async (_request, { path: key }) => {
            if (isProtected(key)) return badRequest(`cannot delete '${key}'`);
            await storage.delete(key);
            return empty;
          },
        },
        list: {
          summary: 'Return a list of keys for a given path prefix.',
          handler: async (_request, { path: prefix }) => {
            const folder = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
            return keys(await storage.list(folder));
          },
        },
      },
    }),
  );
}

function isEncoding(encoding: string): boolean {
  return encoding === '' || encoding === 'base64';
}
