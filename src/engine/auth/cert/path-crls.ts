import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, keys } from '../../logical/response.ts';
import { parseList } from './revocation.ts';
import type { VerifyContext } from './verify.ts';

const name = { type: 'string', description: 'The name of the list.', required: true } as const;

/** crls/: lists of revoked certificates, which count for every login of the mount. */
export function listPaths({ store, revocations }: VerifyContext): Path[] {
  return [
    path({
      pattern: 'crls',
      synopsis: 'Manage Certificate Revocation Lists checked during authentication.',
      fields: {},
      operations: {
        list: { summary: 'List the names.', handler: async () => keys(await store.listNames()) },
      },
    }),
    path({
      pattern: 'crls/:name',
      caselessName: true,
      synopsis: 'Manage Certificate Revocation Lists checked during authentication.',
      fields: {
        name,
        crl: { type: 'string', description: 'A CRL as PEM or base64; its times are ignored.' },
        url: { type: 'string', description: 'Where the CRL is fetched from, and again when it is over.' },
      },
      operations: {
        read: {
          summary: 'Read the serial numbers of a list.',
          handler: async (_request, values) => {
            const list = await store.list(values.name);
            if (list === undefined) return badRequest(`no such CRL ${values.name.toLowerCase()}`);
            const { source, serials } = list;
            return data({
              cdp:
                source === null
                  ? null
                  : { url: source.url, valid_until: new Date(source.validUntil).toISOString() },
              serials: Object.fromEntries(serials.map((serial) => [serial, {}])),
            });
          },
        },
        update: {
          summary: 'Write a list, or where it is published.',
          handler: async (_request, values) => {
            if (values.crl !== undefined) {
              const parsed = parseList(values.crl);
              if (parsed === undefined) return badRequest('failed to parse CRL: it is neither PEM nor DER');
              await store.putList(values.name, { source: null, serials: parsed.serials });
              return empty;
            }
            if (values.url === undefined) return badRequest("one of 'crl' or 'url' must be provided");
            if (values.url === '') return badRequest('empty CRL url');
            const list = await revocations.fetch(values.url);
            if ('failed' in list) return badRequest(`failed to fetch CRL: ${list.failed}`);
            await store.putList(values.name, list);
            return empty;
          },
        },
        delete: {
          summary: 'Remove a list.',
          handler: async (_request, values) => {
            if ((await store.list(values.name)) === undefined)
              return badRequest(`no such CRL ${values.name.toLowerCase()}`);
            await store.deleteList(values.name);
            return empty;
          },
        },
      },
    }),
  ];
}
