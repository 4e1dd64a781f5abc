import type { JsonObject } from '../../../lib/json.ts';
import { barcode, MAX_BARCODE_SIZE } from '../../../lib/qr/barcode.ts';
import type { Random } from '../../../lib/random.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound, type Response } from '../../logical/response.ts';
import { decodeBase32, encodeBase32 } from '../../../lib/totp/base32.ts';
import type { TotpAlgorithm } from '../../../lib/totp/code.ts';
import { formatOtpAuth, parseOtpAuth } from '../../../lib/totp/otpauth.ts';
import type { StoredKey, TotpStore } from './store.ts';

interface Given {
  readonly generate: boolean;
  readonly exported: boolean;
  readonly key_size: number;
  readonly url: string;
  readonly key: string;
  readonly issuer: string;
  readonly account_name: string;
  readonly period: number;
  readonly algorithm: string;
  readonly digits: number;
  readonly skew: number;
  readonly qr_size: number;
}

/** keys/: make, read, delete and list keys. */
export function keyPaths(store: TotpStore, random: Random): Path[] {
  return [
    path({
      pattern: 'keys',
      synopsis: 'Manage the keys that can be created with this backend.',
      fields: {},
      operations: {
        list: { summary: 'List the names of the keys.', handler: async () => keys(await store.list()) },
      },
    }),
    path({
      pattern: 'keys/:name',
      names: { name: 'with-at' },
      synopsis: 'Manage the keys that can be created with this backend.',
      fields: {
        name: { type: 'string', description: 'Name of the key.', required: true },
        generate: {
          type: 'bool',
          description: 'Determines if a key should be generated or if an existing key is being imported.',
          default: false,
        },
        exported: {
          type: 'bool',
          description: 'Determines if a QR code and url are returned upon generating a key.',
          default: true,
        },
        key_size: {
          type: 'int',
          description: 'Determines the size in bytes of the generated key.',
          default: 20,
        },
        key: {
          type: 'string',
          description: 'The shared master key used to generate a TOTP token.',
          default: '',
        },
        issuer: { type: 'string', description: "The name of the key's issuing organization.", default: '' },
        account_name: {
          type: 'string',
          description: 'The name of the account associated with the key.',
          default: '',
        },
        period: {
          type: 'duration',
          description: 'The length of time used to generate a counter for the TOTP token calculation.',
          default: 30,
        },
        algorithm: {
          type: 'string',
          description: 'The hashing algorithm used to generate the TOTP token: SHA1, SHA256 or SHA512.',
          default: 'SHA1',
        },
        digits: {
          type: 'int',
          description: 'The number of digits in the generated TOTP token: 6 or 8.',
          default: 6,
        },
        skew: {
          type: 'int',
          description: 'The number of delay periods that are allowed when validating a TOTP token: 0 or 1.',
          default: 1,
        },
        qr_size: {
          type: 'int',
          description: 'The pixel size of the generated square QR code; 0 for none.',
          default: 200,
        },
        url: {
          type: 'string',
          description: 'A TOTP url string containing all of the parameters for key setup.',
          default: '',
        },
      },
      operations: {
        read: {
          summary: 'Read a key, without its secret.',
          handler: async (_request, { name }) => {
            const key = await store.get(name);
            return key === undefined
              ? notFound
              : data({
                  account_name: key.accountName,
                  algorithm: key.algorithm,
                  digits: key.digits,
                  issuer: key.issuer,
                  period: key.period,
                });
          },
        },
        update: {
          summary: 'Make or import a key.',
          handler: async (_request, fields): Promise<Response> => {
            const key = readKey(fields, random);
            if (typeof key === 'string') return badRequest(key);
            const told = !fields.generate || !fields.exported ? undefined : exported(key, fields.qr_size);
            if (typeof told === 'string') return badRequest(told);
            await store.put(fields.name, key);
            return told === undefined ? empty : data(told);
          },
        },
        delete: {
          summary: 'Delete a key.',
          handler: async (_request, { name }) => {
            await store.delete(name);
            return empty;
          },
        },
      },
    }),
  ];
}

/** What a new key is shown as, once. */
function exported(key: StoredKey, size: number): JsonObject | string {
  const url = formatOtpAuth(key.key, key.issuer, key.accountName, key);
  if (size === 0) return { url };
  const image = barcode(url, size);
  return image === undefined
    ? 'failed to generate QR code image: the code does not fit into qr_size'
    : { barcode: image, url };
}

function readKey(given: Given, random: Random): StoredKey | string {
  const named = fromUrl(given);
  if (typeof named === 'string') return named;
  const { period, skew } = named;
  const { digits, algorithm } = named;
  if (digits !== 6 && digits !== 8) return 'the digits value can only be 6 or 8';
  if (!isAlgorithm(algorithm)) return 'the algorithm value is not valid';
  if (period <= 0) return 'the period value must be greater than zero';
  if (skew !== 0 && skew !== 1) return 'the skew value must be 0 or 1';
  if (named.qr_size > MAX_BARCODE_SIZE) return `the qr_size value must be at most ${MAX_BARCODE_SIZE}`;
  if (named.qr_size < 0) return 'the qr_size value must be greater than or equal to zero';
  if (named.key_size <= 0) return 'the key_size value must be greater than zero';
  if (named.key_size > MAX_KEY_SIZE) return `the key_size value must not be greater than ${MAX_KEY_SIZE}`;
  const key = named.generate ? generated(named, random) : imported(named.key);
  if ('refused' in key) return key.refused;
  return {
    key: key.text,
    issuer: named.issuer,
    accountName: named.account_name,
    period,
    algorithm,
    digits,
    skew,
  };
}

type KeyText = { readonly text: string } | { readonly refused: string };

const MAX_KEY_SIZE = 1024;

function fromUrl(given: Given): Given | string {
  if (given.generate && given.key !== '') return 'a key should not be passed if generate is true';
  if (given.generate && given.url !== '') return 'a url should not be passed if generate is true';
  if (given.url === '') return given;
  const parsed = parseOtpAuth(given.url);
  if (typeof parsed === 'string') return parsed;
  return {
    ...given,
    key: parsed.key,
    issuer: parsed.issuer ?? given.issuer,
    account_name: parsed.accountName,
    period: parsed.period ?? given.period,
    digits: parsed.digits ?? given.digits,
    algorithm: parsed.algorithm ?? given.algorithm,
  };
}

function generated(named: Given, random: Random): KeyText {
  if (named.account_name === '') return { refused: 'the account_name value is required for generated keys' };
  if (named.issuer === '') return { refused: 'the issuer value is required for generated keys' };
  const bytes = random.bytes(named.key_size);
  const text = encodeBase32(bytes);
  bytes.fill(0);
  return { text };
}

function imported(key: string): KeyText {
  if (key === '') return { refused: 'the key value is required' };
  const bytes = decodeBase32(key);
  if (typeof bytes === 'number')
    return { refused: `invalid key value: illegal base32 data at input byte ${bytes}` };
  if (bytes.length === 0) return { refused: 'the key value is required' };
  const text = encodeBase32(bytes);
  bytes.fill(0);
  return { text };
}

function isAlgorithm(name: string): name is TotpAlgorithm {
  return ['SHA1', 'SHA256', 'SHA512'].includes(name);
}
