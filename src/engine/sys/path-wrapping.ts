import { type Path, path } from '../logical/logical.ts';
import type { LogicalRequest, TokenEntry } from '../logical/request.ts';
import { badRequest, data, type Response } from '../logical/response.ts';
import type { SysPort } from './port.ts';

const invalid = badRequest('wrapping token is not valid or does not exist');
const tokenField = {
  token: {
    type: 'string',
    description: 'The wrapping token; the caller’s own when it is left out.',
    default: '',
  },
} as const;

/** wrapping/wrap, unwrap, lookup and rewrap. */
export function wrappingPaths(port: SysPort): Path[] {
  // The single use of the caller's own token was counted on the way here; another's is counted now, so that of many
  // who name it at once one gets the answer.
  const claim = async (request: LogicalRequest, token: string): Promise<TokenEntry | undefined> => {
    if (token === '' || token === request.tokenText) return request.token;
    const entry = await port.tokens.lookup(token);
    return entry !== undefined && (await port.tokens.use(entry)) ? entry : undefined;
  };

  return [
    path({
      pattern: 'wrapping/wrap',
      arbitrary: true,
      synopsis: 'Response-wraps an arbitrary JSON object.',
      fields: {},
      operations: {
        update: {
          summary: 'Wrap the body of the request.',
          handler: (request): Response =>
            request.wrapTtl > 0
              ? data(request.body)
              : badRequest('endpoint requires response wrapping to be used'),
        },
      },
    }),
    path({
      pattern: 'wrapping/lookup',
      record: false,
      synopsis: 'Looks up the properties of a response-wrapped token.',
      access: 'unauthenticated',
      fields: tokenField,
      operations: {
        read: {
          summary: 'Look up the caller’s wrapping token.',
          handler: (request) => lookup(request.tokenText ?? ''),
        },
        update: {
          summary: 'Look up a wrapping token.',
          handler: (request, values) =>
            lookup(values.token === '' ? (request.tokenText ?? '') : values.token),
        },
      },
    }),
    path({
      pattern: 'wrapping/unwrap',
      synopsis: 'Unwraps a response-wrapped token.',
      fields: tokenField,
      operations: {
        update: {
          summary: 'Return the wrapped answer, once.',
          handler: async (request, values): Promise<Response> => {
            const body = await port.wrapping.unwrap(await claim(request, values.token));
            return body === undefined ? invalid : { kind: 'raw', status: 200, body };
          },
        },
      },
    }),
    path({
      pattern: 'wrapping/rewrap',
      synopsis: 'Rotates a response-wrapped token.',
      fields: tokenField,
      operations: {
        update: {
          summary: 'Move the wrapped answer to a new token.',
          handler: async (request, values): Promise<Response> =>
            (await port.wrapping.rewrap(await claim(request, values.token))) ?? invalid,
        },
      },
    }),
  ];

  async function lookup(token: string): Promise<Response> {
    const found = await port.wrapping.lookup(token);
    return found === undefined ? invalid : data(found);
  }
}
