import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty, permissionDenied } from '../../logical/response.ts';
import type { TokenPort } from './port.ts';

const batch = badRequest('batch tokens cannot be revoked');
const token = { type: 'string', description: 'Token to revoke', default: '' } as const;

/** revoke, revoke-self, revoke-accessor, revoke-orphan and tidy. */
export function revokePaths(tokens: TokenPort): Path[] {
  return [
    path({
      pattern: 'revoke-self',
      synopsis: 'This endpoint will delete the token used to call it and all of its child tokens.',
      fields: {},
      operations: {
        update: {
          summary: 'Revoke the calling token.',
          handler: async (request) => {
            if (request.token === undefined) return permissionDenied;
            if (request.token.type === 'batch') return batch;
            await tokens.revoke(request.token.hash);
            return empty;
          },
        },
      },
    }),
    path({
      pattern: 'revoke-accessor',
      synopsis:
        'This endpoint will delete the token associated with the accessor and all of its child tokens.',
      fields: { accessor: { type: 'string', description: 'Accessor of the token', default: '' } },
      operations: {
        update: {
          summary: 'Revoke a token by its accessor.',
          handler: async (_request, values) => {
            if (values.accessor === '') return badRequest('missing accessor');
            const entry = await tokens.byAccessor(values.accessor);
            if (entry === undefined) return data(null, ['No token found with this accessor']);
            await tokens.revoke(entry.hash);
            return empty;
          },
        },
      },
    }),
    path({
      pattern: 'revoke-orphan',
      synopsis: 'This endpoint will delete the token and orphan its child tokens.',
      fields: { token },
      operations: {
        update: {
          summary: 'Revoke a token; its children stay.',
          handler: async (request, values) => {
            if (values.token === '') return badRequest('missing token ID');
            const path = request.mountPoint + request.path;
            if (request.token === undefined || !(await tokens.hasSudo(request.token, path)))
              return badRequest('root or sudo privileges required to revoke and orphan');
            const entry = await tokens.lookup(values.token);
            if (entry === undefined) return badRequest('token to revoke not found');
            if (entry.type === 'batch') return batch;
            await tokens.revokeOrphan(entry.hash);
            return empty;
          },
        },
      },
    }),
    path({
      pattern: 'revoke',
      synopsis: 'This endpoint will delete the given token and all of its child tokens.',
      fields: { token },
      operations: {
        update: {
          summary: 'Revoke a token.',
          handler: async (_request, values) => {
            if (values.token === '') return badRequest('missing token ID');
            const entry = await tokens.lookup(values.token);
            if (entry?.type === 'batch') return batch;
            if (entry !== undefined) await tokens.revoke(entry.hash);
            return empty;
          },
        },
      },
    }),
    path({
      pattern: 'tidy',
      synopsis:
        'This endpoint performs cleanup tasks that can be run if certain error conditions have occurred.',
      fields: {},
      operations: {
        update: {
          summary: 'Revoke tokens that nothing leads to, and mend indexes.',
          handler: () => ({
            kind: 'data',
            data: null,
            status: 202,
            warnings: [
              tokens.startTidy()
                ? 'Tidy operation successfully started. Any information from the operation will be printed to the server logs.'
                : 'Tidy operation already in progress.',
            ],
          }),
        },
      },
    }),
  ];
}
