import { turns } from '../../lib/turns.ts';
import type { JsonObject } from '../../lib/json.ts';
import { type Path, path } from '../logical/logical.ts';
import type { TokenEntry } from '../logical/request.ts';
import { badRequest, type Response } from '../logical/response.ts';
import type { SysPort } from './port.ts';

const pathFields = {
  path: { type: 'commaList', description: 'Use paths instead.', deprecated: true },
  paths: { type: 'commaList', description: 'Paths on which capabilities are being queried.' },
} as const;

/** capabilities, capabilities-self and capabilities-accessor. */
export function capabilityPaths(port: SysPort): Path[] {
  const answer = async (
    token: TokenEntry | undefined,
    paths: readonly string[] | undefined,
  ): Promise<Response> => {
    if (paths === undefined || paths.length === 0) return badRequest('paths must be supplied');
    if (token === undefined) return { kind: 'refusal', status: 403, errors: ['invalid token'] };
    const data: JsonObject = {};
    let first: string[] | undefined;
    const pause = turns();
    for (const each of paths) {
      await pause();
      const capabilities = await capabilitiesOf(port, token, each);
      first ??= capabilities;
      data[each] = capabilities;
    }
    if (paths.length === 1 && first !== undefined) data['capabilities'] = first;
    return { kind: 'data', data, atTop: true };
  };

  return [
    path({
      pattern: 'capabilities-self',
      synopsis: 'Fetches the capabilities of the given token on the given path.',
      fields: { ...pathFields, token: { type: 'string', description: 'Unused.' } },
      operations: {
        update: {
          summary: "Fetches the caller's capabilities.",
          handler: (request, values) => answer(request.token, values.paths ?? values.path),
        },
      },
    }),
    path({
      pattern: 'capabilities-accessor',
      synopsis:
        'Fetches the capabilities of the token associated with the given accessor, on the given path.',
      fields: {
        ...pathFields,
        accessor: { type: 'string', description: 'Accessor of the token.', default: '' },
      },
      operations: {
        update: {
          summary: 'Fetches the capabilities of a token by its accessor.',
          handler: async (_request, values) =>
            answer(await port.tokens.byAccessor(values.accessor), values.paths ?? values.path),
        },
      },
    }),
    path({
      pattern: 'capabilities',
      synopsis: 'Fetches the capabilities of the given token on the given path.',
      fields: {
        ...pathFields,
        token: {
          type: 'string',
          description: 'Token for which capabilities are being queried.',
          default: '',
        },
      },
      operations: {
        update: {
          summary: 'Fetches the capabilities of a token.',
          handler: async (_request, values) =>
            answer(await port.tokens.lookup(values.token), values.paths ?? values.path),
        },
      },
    }),
  ];
}

/** @returns sorted capabilities; `root` for a root token, `deny` for none. */
async function capabilitiesOf(port: SysPort, token: TokenEntry, target: string): Promise<string[]> {
  if (token.policies.includes('root')) return ['root'];
  return (await port.tokens.acl(token)).capabilities(target);
}
