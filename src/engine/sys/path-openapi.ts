import type { JsonObject } from '../../lib/json.ts';
import { openApiPaths } from '../logical/openapi.ts';
import { type Path, path, PathTable } from '../logical/logical.ts';
import type { LogicalRequest } from '../logical/request.ts';
import type { Response } from '../logical/response.ts';
import { hasAccess } from './path-internal-ui.ts';
import { rawStoragePaths } from './path-raw.ts';
import type { SysPort } from './port.ts';

/** internal/specs/openapi: the API as an OpenAPI document, made of the same tables that serve it. */
export function openApiDocumentPaths(port: SysPort): Path[] {
  const document = async (request: LogicalRequest, generic: boolean): Promise<Response> => {
    // Described where it is not served as well: whoever repairs a vault turns it on.
    let paths: JsonObject = (await hasAccess(port, request.token, 'sys/'))
      ? openApiPaths('sys/', new PathTable(rawStoragePaths(port.storage)))
      : {};
    for (const { prefix, entry, backend } of port.mounts.all()) {
      if (!(await hasAccess(port, request.token, prefix))) continue;
      const place = generic && !['system', 'identity', 'cubbyhole', 'token'].includes(entry.type);
      const shown = place ? `${entry.table === 'auth' ? 'auth/' : ''}{${entry.type}_mount_path}/` : prefix;
      paths = { ...paths, ...openApiPaths(shown, backend.paths) };
    }
    return {
      kind: 'raw',
      status: 200,
      body: {
        openapi: '3.0.2',
        info: {
          title: 'SealedVault API',
          description:
            'HTTP API that gives you full access to SealedVault. All API routes are prefixed with `/v1/`.',
          version: port.server.version,
          license: { name: 'Mozilla Public License 2.0', url: 'https://www.mozilla.org/en-US/MPL/2.0' },
        },
        paths,
      },
    };
  };
  return [
    path({
      pattern: 'internal/specs/openapi',
      record: false,
      synopsis: 'Generate an OpenAPI 3 document of all mounted paths.',
      access: 'unauthenticated',
      fields: {
        context: { type: 'string', description: 'Accepted for clients that send it.', query: true },
        generic_mount_paths: {
          type: 'bool',
          description: 'Name mounts by a parameter instead of by where they are.',
          query: true,
          default: false,
        },
      },
      operations: {
        read: {
          summary: 'Generate an OpenAPI 3 document of all mounted paths.',
          handler: (request, values) => document(request, values.generic_mount_paths),
        },
        update: {
          summary: 'Generate an OpenAPI 3 document of all mounted paths.',
          handler: (request, values) => document(request, values.generic_mount_paths),
        },
      },
    }),
  ];
}
