import { createHash } from 'node:crypto';
import { toBase64, toHex } from '../../../lib/bytes.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data } from '../../logical/response.ts';
import { decodeBase64 } from './base64.ts';
import { DEFAULT_HASH, hashFunction } from './hash.ts';
import { Refused } from './refused.ts';

/** hash/: digests, without a key. */
export function hashPaths(): Path[] {
  return ['hash', 'hash/:urlalgorithm'].map((pattern) =>
    path({
      pattern,
      synopsis: 'Generate a hash sum for input data',
      fields: {
        input: { type: 'string', description: 'The base64-encoded input data' },
        algorithm: {
          type: 'string',
          description: 'Algorithm to use (POST body parameter). Defaults to "sha2-256".',
          default: DEFAULT_HASH,
        },
        urlalgorithm: { type: 'string', description: 'Algorithm to use (POST URL parameter)', default: '' },
        format: {
          type: 'string',
          description: 'Encoding format to use. Can be "hex" or "base64". Defaults to "hex".',
          default: 'hex',
        },
      },
      operations: {
        update: {
          summary: 'Hash.',
          handler: (_request, fields) => {
            if (fields.input === undefined) return badRequest('input missing');
            const input = decodeBase64(fields.input);
            if (input instanceof Refused)
              return badRequest(`unable to decode input as base64: ${input.message}`);
            if (fields.format !== 'hex' && fields.format !== 'base64')
              return badRequest(`unsupported encoding format ${fields.format}; must be "hex" or "base64"`);
            const name = fields.urlalgorithm || fields.algorithm;
            const hash = name === 'sha1' ? undefined : hashFunction(name);
            if (hash === undefined) return badRequest(`unsupported algorithm ${name}`);
            const sum = createHash(hash.name).update(input).digest();
            return data({ sum: fields.format === 'hex' ? toHex(sum) : toBase64(sum) });
          },
        },
      },
    }),
  );
}
