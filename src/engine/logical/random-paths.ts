import { toBase64, toHex } from '../../lib/bytes.ts';
import type { KeyRandom } from '../../lib/key-random.ts';
import type { Random } from '../../lib/random.ts';
import { type Path, path } from './logical.ts';
import { badRequest, data } from './response.ts';

const MAX_BYTES = 128 * 1024;
const SOURCES = ['platform', 'seal', 'all'];

/**
 * Random bytes, as transit and sys/tools give them. One segment behind the pattern is a source or a number of bytes, two are
 * both.
 * @param pattern such as `tools/random`
 */
export function randomPaths(pattern: string, random: Random, keyRandom: KeyRandom): Path[] {
  const bytesOf = async (source: string, length: number): Promise<Uint8Array> => {
    if (source === 'platform') return random.bytes(length);
    if (source === 'seal') return keyRandom.external(length);
    const [platform, seal] = [random.bytes(length), await keyRandom.external(length)];
    return platform.map((byte, index) => byte ^ (seal[index] ?? 0));
  };
  return ['', '/:source', '/:source/:urlbytes'].map((more) =>
    path({
      pattern: pattern + more,
      synopsis: 'Generate random bytes',
      fields: {
        urlbytes: {
          type: 'string',
          description: 'The number of bytes to generate (POST URL parameter)',
          default: '',
        },
        bytes: {
          type: 'int',
          description: 'The number of bytes to generate (POST body parameter). Defaults to 32 (256 bits).',
          default: 32,
        },
        format: {
          type: 'string',
          description: 'Encoding format to use. Can be "hex" or "base64". Defaults to "base64".',
          default: 'base64',
        },
        source: {
          type: 'string',
          description: 'Which system to source random data from, ether "platform", "seal", or "all".',
          default: 'platform',
        },
      },
      operations: {
        update: {
          summary: 'Make random bytes.',
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
              return badRequest(
                `unsupported encoding format ${JSON.stringify(fields.format)}; must be "hex" or "base64"`,
              );
            if (!SOURCES.includes(source))
              return badRequest(
                `unsupported entropy source ${JSON.stringify(source)}; must be "platform" or "seal", or "all"`,
              );
            const bytes = await bytesOf(source, length);
            const encoded = fields.format === 'hex' ? toHex(bytes) : toBase64(bytes);
            bytes.fill(0);
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
