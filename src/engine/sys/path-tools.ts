import { createHash } from 'node:crypto';
import { fromBase64 } from '../../lib/bytes.ts';
import { type Path, path } from '../logical/logical.ts';
import { badRequest, data } from '../logical/response.ts';
import { randomPaths } from '../logical/random-paths.ts';
import type { SysPort } from './port.ts';

/** Hash functions by the names of the API, as OpenSSL calls them. */
const HASHES: Readonly<Record<string, string>> = {
  'sha2-224': 'sha224',
  'sha2-256': 'sha256',
  'sha2-384': 'sha384',
  'sha2-512': 'sha512',
  'sha3-224': 'sha3-224',
  'sha3-256': 'sha3-256',
  'sha3-384': 'sha3-384',
  'sha3-512': 'sha3-512',
};

/** tools/random, tools/hash and decode-token. */
export function toolPaths({ random, keyRandom }: SysPort): Path[] {
  return [...randomPaths('tools/random', random, keyRandom), ...hashPaths(), decodeTokenPath()];
}

function hashPaths(): Path[] {
  return ['tools/hash', 'tools/hash/:urlalgorithm'].map((pattern) =>
    path({
      pattern,
      synopsis: 'Generate a hash sum for input data',
      fields: {
        input: { type: 'string', description: 'The base64-encoded input data.' },
        algorithm: { type: 'string', description: 'The algorithm.', default: 'sha2-256' },
        urlalgorithm: { type: 'string', description: 'The algorithm, in the URL.', default: '' },
        format: { type: 'string', description: 'Encoding: hex or base64.', default: 'hex' },
      },
      operations: {
        update: {
          summary: 'Generate a hash sum for input data.',
          handler: (_request, fields) => {
            const input = fromBase64(fields.input ?? '');
            if (input === undefined)
              return badRequest('unable to decode input as base64: illegal base64 data');
            if (fields.format !== 'hex' && fields.format !== 'base64')
              return badRequest(`unsupported encoding format ${fields.format}; must be "hex" or "base64"`);
            const name = fields.urlalgorithm || fields.algorithm;
            const hash = Object.hasOwn(HASHES, name) ? HASHES[name] : undefined;
            if (hash === undefined) return badRequest(`unsupported algorithm ${name}`);
            return data({ sum: createHash(hash).update(input).digest(fields.format) });
          },
        },
      },
    }),
  );
}

function decodeTokenPath(): Path {
  return path({
    pattern: 'decode-token',
    synopsis: 'Decodes the encoded token with the otp.',
    access: 'unauthenticated',
    fields: {
      encoded_token: {
        type: 'string',
        description: 'The encoded token, as generate-root gives it.',
        default: '',
      },
      otp: { type: 'string', description: 'The one-time password that it was encoded with.', default: '' },
    },
    operations: {
      update: {
        summary: 'Decode a token.',
        handler: (_request, fields) => {
          if (fields.encoded_token === '') return badRequest('missing encoded_token');
          if (fields.otp === '') return badRequest('missing otp');
          const encoded = fromBase64(
            fields.encoded_token.padEnd(Math.ceil(fields.encoded_token.length / 4) * 4, '='),
          );
          const otp = Buffer.from(fields.otp);
          if (encoded === undefined) return badRequest('error decoding token: illegal base64 data');
          if (encoded.length !== otp.length)
            return badRequest(
              `error xoring token: length of byte slices is not equivalent: ${encoded.length} != ${otp.length}`,
            );
          return data({
            token: Buffer.from(encoded.map((byte, index) => byte ^ (otp[index] ?? 0))).toString(),
          });
        },
      },
    },
  });
}
