import { createHash } from 'node:crypto';
import { fromBase64, toBase64, toHex } from '../../lib/bytes.ts';
import { type Path, path } from '../logical/logical.ts';
import { badRequest, data } from '../logical/response.ts';
import type { SysPort } from './port.ts';

const MAX_BYTES = 128 * 1024;
const SOURCES = ['platform', 'seal', 'all'];
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
export function toolPaths(port: SysPort): Path[] {
  return [...randomPaths(port), ...hashPaths(), decodeTokenPath()];
}

function randomPaths({ random, keyRandom }: SysPort): Path[] {
  const bytesOf = async (source: string, length: number): Promise<Uint8Array> => {
    if (source === 'platform') return random.bytes(length);
    if (source === 'seal') return keyRandom.external(length);
    const [platform, seal] = [random.bytes(length), await keyRandom.external(length)];
    return platform.map((byte, index) => byte ^ (seal[index] ?? 0));
  };
  return ['tools/random', 'tools/random/:source', 'tools/random/:source/:urlbytes'].map((pattern) =>
    path({
      pattern,
      synopsis: 'Generate random bytes',
      fields: {
        urlbytes: {
          type: 'string',
          description: 'The number of bytes to generate, in the URL.',
          default: '',
        },
        bytes: { type: 'int', description: 'The number of bytes to generate.', default: 32 },
        format: { type: 'string', description: 'Encoding: hex or base64.', default: 'base64' },
        source: { type: 'string', description: 'Where from: platform, seal or all.', default: 'platform' },
      },
      operations: {
        update: {
          summary: 'Generate random bytes.',
          handler: async (_request, fields) => {
            const isSource = SOURCES.includes(fields.source);
            const inPath = fields.urlbytes !== '' ? fields.urlbytes : isSource ? '' : fields.source;
            const source = isSource || fields.urlbytes !== '' ? fields.source : 'platform';
            if (inPath !== '' && !/^\d{1,9}$/.test(inPath))
              return badRequest(`error parsing url-set byte count: ${JSON.stringify(inPath)}`);
            const length = inPath === '' ? fields.bytes : Number(inPath);
            if (length < 1) return badRequest('"bytes" cannot be less than 1');
            if (length > MAX_BYTES) return badRequest(`"bytes" should be less than ${MAX_BYTES}`);
            if (fields.format !== 'hex' && fields.format !== 'base64')
              return badRequest(`unsupported encoding format "${fields.format}"; must be "hex" or "base64"`);
            if (!SOURCES.includes(source))
              return badRequest(
                `unsupported entropy source ${JSON.stringify(source)}; must be "platform" or "seal", or "all"`,
              );
            const bytes = await bytesOf(source, length);
            const encoded = fields.format === 'hex' ? toHex(bytes) : toBase64(bytes);
            return data(
              { random_bytes: encoded },
              source === 'platform' || keyRandom.augmented
                ? []
                : ['no seal/entropy augmentation available, using platform entropy source'],
            );
          },
        },
      },
    }),
  );
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
