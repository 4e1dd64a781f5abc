import type { JsonObject } from '../../../lib/json.ts';
import { type Path, path } from '../../logical/logical.ts';
import type { LogicalRequest, TokenEntry } from '../../logical/request.ts';
import { badRequest, data, keys, permissionDenied, type Response } from '../../logical/response.ts';
import type { TokenPort } from './port.ts';

const badToken: Response = { kind: 'refusal', status: 403, errors: ['bad token'] };
const invalidAccessor: Response = badRequest('invalid accessor');
const tokenField = { type: 'string', description: 'Token to lookup', default: '' } as const;

/** lookup, lookup-self, lookup-accessor and the list of accessors. */
export function lookupPaths(tokens: TokenPort): Path[] {
  const render = async (
    entry: TokenEntry | undefined,
    id: string,
    otherwise: Response,
  ): Promise<Response> => {
    if (entry === undefined) return otherwise;
    const byIdentity = await tokens.identityPolicies(entry);
    return data({
      ...describe(entry, id, tokens.now()),
      ...(byIdentity.length === 0
        ? {}
        : { external_namespace_policies: {}, identity_policies: [...byIdentity] }),
    });
  };
  const self = ({ token, tokenText = '' }: LogicalRequest, otherwise: Response): Promise<Response> =>
    render(token === undefined ? undefined : afterThisUse(token), tokenText, otherwise);

  return [
    path({
      pattern: 'lookup-self',
      record: false,
      synopsis: 'This endpoint will lookup a token and its properties.',
      fields: { token: { type: 'string', description: 'Token to look up (unused)', default: '' } },
      operations: {
        read: {
          summary: 'Look up the calling token.',
          handler: (request) => self(request, permissionDenied),
        },
        update: {
          summary: 'Look up the calling token.',
          handler: (request) => self(request, permissionDenied),
        },
      },
    }),
    path({
      pattern: 'lookup-accessor',
      synopsis:
        'This endpoint will lookup a token associated with the given accessor and its properties. Response will not contain the token ID.',
      fields: { accessor: { type: 'string', description: 'Accessor of the token to look up', default: '' } },
      operations: {
        update: {
          summary: 'Look up a token by its accessor.',
          handler: async (_request, values) =>
            values.accessor === ''
              ? badRequest('missing accessor')
              : render(await tokens.byAccessor(values.accessor), '', invalidAccessor),
        },
      },
    }),
    path({
      pattern: 'lookup',
      record: false,
      synopsis: 'This endpoint will lookup a token and its properties.',
      fields: { token: tokenField },
      operations: {
        read: {
          summary: 'Look up the calling token.',
          handler: (request) => self(request, permissionDenied),
        },
        update: {
          summary: 'Look up a token.',
          handler: async (request, values) =>
            values.token === ''
              ? self(request, badToken)
              : render(await tokens.lookup(values.token), values.token, badToken),
        },
      },
    }),
    path({
      pattern: 'accessors',
      synopsis:
        'List token accessors, which can then be be used to iterate and discover their properties or revoke them.',
      access: 'sudo',
      fields: {},
      operations: {
        list: {
          summary: 'List the accessors of all tokens.',
          handler: async () => keys(await tokens.accessors()),
        },
      },
    }),
  ];
}

// A request sees its token as it was before.
function afterThisUse(token: TokenEntry): TokenEntry {
  return { ...token, numUses: Math.max(token.numUses - 1, 0) };
}

function describe(entry: TokenEntry, id: string, now: number): JsonObject {
  return {
    accessor: entry.accessor,
    ...(entry.boundCidrs === undefined ? {} : { bound_cidrs: [...entry.boundCidrs] }),
    creation_time: entry.creationTime,
    creation_ttl: entry.creationTtl,
    display_name: entry.displayName,
    entity_id: entry.entityId,
    expire_time: entry.expireTime === 0 ? null : new Date(entry.expireTime * 1000).toISOString(),
    explicit_max_ttl: entry.explicitMaxTtl,
    id,
    ...(entry.expireTime === 0
      ? {}
      : { issue_time: new Date(entry.creationTime * 1000).toISOString(), renewable: entry.renewable }),
    ...(entry.lastRenewal === 0
      ? {}
      : {
          last_renewal: new Date(entry.lastRenewal * 1000).toISOString(),
          last_renewal_time: entry.lastRenewal,
        }),
    meta: entry.meta === null ? null : { ...entry.meta },
    num_uses: Math.max(entry.numUses, 0),
    orphan: entry.orphan,
    path: entry.path,
    ...(entry.period === 0 ? {} : { period: entry.period }),
    policies: [...entry.policies],
    ttl: entry.expireTime === 0 ? 0 : Math.max(entry.expireTime - now, 0),
    type: entry.type,
  };
}
