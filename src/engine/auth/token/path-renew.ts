import { formatDuration } from '../../../lib/duration.ts';
import { type Path, path } from '../../logical/logical.ts';
import type { LogicalRequest, TokenEntry } from '../../logical/request.ts';
import { badRequest, permissionDenied, type Response } from '../../logical/response.ts';
import type { TokenPort } from './port.ts';

const increment = {
  type: 'duration',
  description: 'The desired increment in seconds to the token expiration',
  default: 0,
} as const;

/** renew, renew-self and renew-accessor. */
export function renewPaths(tokens: TokenPort): Path[] {
  const renew = async (
    request: LogicalRequest,
    entry: TokenEntry | undefined,
    text: string,
    wanted: number,
  ): Promise<Response> => {
    if (entry === undefined) return badRequest('token not found');
    if (entry.type === 'batch') return badRequest('batch tokens cannot be renewed');
    if (!entry.renewable || entry.expireTime === 0) return badRequest('lease is not renewable');
    const login = entry.login === undefined ? undefined : await tokens.renewLogin(entry, request);
    if (login !== undefined) return badRequest(login.refused);
    const now = tokens.now();
    const warnings: string[] = [];
    const ttl = renewedTtl(entry, wanted, request, now);
    if (ttl <= 0) return badRequest('past the max TTL, cannot renew');
    if (ttl < wanted)
      warnings.push(
        `TTL of "${formatDuration(wanted)}" exceeded the effective max_ttl of "${formatDuration(ttl)}"; TTL value is capped accordingly`,
      );
    const renewed = await tokens.renew(entry, ttl);
    // Revoked meanwhile.
    if (renewed === undefined) return permissionDenied;
    return { kind: 'auth', auth: { clientToken: text, entry: renewed, leaseDuration: ttl }, warnings };
  };

  return [
    path({
      pattern: 'renew-self',
      synopsis: 'This endpoint will renew the token used to call it and prevent expiration.',
      fields: { token: { type: 'string', description: 'Token to renew (unused)', default: '' }, increment },
      operations: {
        update: {
          summary: 'Renew the calling token.',
          handler: (request, values) =>
            renew(request, request.token, request.tokenText ?? '', values.increment),
        },
      },
    }),
    path({
      pattern: 'renew-accessor',
      synopsis:
        'This endpoint will renew a token associated with the given accessor and its properties. Response will not contain the token ID.',
      fields: {
        accessor: { type: 'string', description: 'Accessor of the token to renew', default: '' },
        increment,
      },
      operations: {
        update: {
          summary: 'Renew a token by its accessor.',
          handler: async (request, values) => {
            if (values.accessor === '') return badRequest('missing accessor');
            const entry = await tokens.byAccessor(values.accessor);
            return entry === undefined
              ? badRequest('invalid accessor')
              : renew(request, entry, '', values.increment);
          },
        },
      },
    }),
    path({
      pattern: 'renew',
      synopsis: 'This endpoint will renew the given token and prevent expiration.',
      fields: { token: { type: 'string', description: 'Token to renew', default: '' }, increment },
      operations: {
        update: {
          summary: 'Renew a token.',
          handler: async (request, values) => {
            if (values.token === '') return badRequest('missing token ID');
            const entry = await tokens.lookup(values.token);
            return entry === undefined
              ? permissionDenied
              : renew(request, entry, values.token, values.increment);
          },
        },
      },
    }),
  ];
}

// A periodic token gets its period; any other what was asked, within the maximum counted from its creation.
function renewedTtl(entry: TokenEntry, wanted: number, request: LogicalRequest, now: number): number {
  const untilExplicit =
    entry.explicitMaxTtl > 0 ? entry.creationTime + entry.explicitMaxTtl - now : Number.POSITIVE_INFINITY;
  if (entry.period > 0) return Math.min(entry.period, untilExplicit);
  const granted = entry.expireTime - (entry.lastRenewal || entry.creationTime);
  const base = wanted > 0 ? wanted : granted || request.leaseTtl.default;
  return Math.min(
    base,
    entry.creationTime + (entry.login?.maxTtl || request.leaseTtl.max) - now,
    untilExplicit,
  );
}
