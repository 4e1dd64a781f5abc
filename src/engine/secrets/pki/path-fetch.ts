import { path, type Path } from '../../logical/logical.ts';
import { keys } from '../../logical/response.ts';
import type { Pki } from './context.ts';
import type { Encoding } from './fetch.ts';
import { pageFields, pageOf } from './path-fields.ts';
import { listRevoked } from './revoked-list.ts';
import { serialKey, serialOfKey } from './serial.ts';

const SYNOPSIS = 'Fetch a CA, CRL, CA Chain, or non-revoked certificate.';

/** What everyone may fetch: the default issuer, its list, certificates; and the listings, which need a token. */
export function fetchPaths(pki: Pki): Path[] {
  const work = () => import('./fetch.ts');
  const open = (pattern: string, summary: string, handler: () => ReturnType<Path['handle']>): Path =>
    path({
      pattern,
      synopsis: SYNOPSIS,
      fields: {},
      access: 'unauthenticated',
      operations: { read: { summary, handler } },
    });
  return [
    ...authorities.map(([pattern, encoding]) =>
      open(pattern, "Read the default issuer's certificate.", async () =>
        (await work()).fetchCa(pki, encoding),
      ),
    ),
    ...lists.map(([pattern, encoding, delta]) =>
      open(pattern, "Read the default issuer's list of revoked certificates.", async () =>
        (await work()).fetchDefaultCrl(pki, encoding, delta),
      ),
    ),
    open('ca_chain', "Read the default issuer's chain.", async () => (await work()).fetchChain(pki, 'raw')),
    open('cert/ca_chain', "Read the default issuer's chain.", async () =>
      (await work()).fetchChain(pki, 'json'),
    ),
    ...certificates.map(([pattern, encoding]) =>
      path({
        pattern,
        names: { serial: 'serial' },
        synopsis: SYNOPSIS,
        fields: {
          serial: {
            type: 'string',
            description: 'Serial number, in hex with colons or dashes.',
            default: '',
          },
        },
        access: 'unauthenticated',
        operations: {
          read: {
            summary: 'Read a certificate.',
            handler: async (_request, { serial }) => (await work()).fetchCertificate(pki, serial, encoding),
          },
        },
      }),
    ),
    path({
      pattern: 'certs',
      synopsis: SYNOPSIS,
      fields: pageFields,
      operations: {
        list: {
          summary: 'List serial numbers of certificates.',
          handler: async (_request, page) =>
            keys((await pki.storage.list('certs/', serialPage(page))).map(serialOfKey)),
        },
      },
    }),
    path({
      pattern: 'certs/detailed',
      synopsis: SYNOPSIS,
      fields: pageFields,
      operations: {
        list: {
          summary: 'List certificates with what they say.',
          handler: async (_request, page) => (await work()).listDetailed(pki, serialPage(page)),
        },
      },
    }),
    path({
      pattern: 'certs/revoked',
      synopsis: 'List all revoked serial numbers within the local cluster.',
      fields: pageFields,
      operations: {
        list: {
          summary: 'List serial numbers of revoked certificates.',
          handler: async (_request, page) =>
            keys((await listRevoked(pki.storage, serialPage(page))).map(serialOfKey)),
        },
      },
    }),
  ];
}

// Listings are of serial numbers as they are stored.
const serialPage = ({ after, limit }: Parameters<typeof pageOf>[0]): ReturnType<typeof pageOf> =>
  pageOf({ after: serialKey(after), limit });

const authorities: readonly (readonly [pattern: string, encoding: Encoding])[] = [
  ['ca', 'der'],
  ['ca/pem', 'pem'],
  ['cert/ca', 'json'],
  ['cert/ca/raw', 'der'],
  ['cert/ca/raw/pem', 'pem'],
];

const lists: readonly (readonly [pattern: string, encoding: Encoding, delta: boolean])[] = [
  ['crl', 'der', false],
  ['crl/pem', 'pem', false],
  ['crl/delta', 'der', true],
  ['crl/delta/pem', 'pem', true],
  ['cert/crl', 'json', false],
  ['cert/crl/raw', 'der', false],
  ['cert/crl/raw/pem', 'pem', false],
  ['cert/delta-crl', 'json', true],
  ['cert/delta-crl/raw', 'der', true],
  ['cert/delta-crl/raw/pem', 'pem', true],
];

const certificates: readonly (readonly [pattern: string, encoding: Encoding])[] = [
  ['cert/:serial', 'json'],
  ['cert/:serial/raw', 'der'],
  ['cert/:serial/raw/pem', 'pem'],
];
