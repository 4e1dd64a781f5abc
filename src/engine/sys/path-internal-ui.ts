import type { JsonObject } from '../../lib/json.ts';
import { type Path, path } from '../logical/logical.ts';
import type { TokenEntry } from '../logical/request.ts';
import { data, permissionDenied } from '../logical/response.ts';
import type { MountEntry } from '../mount/mount.ts';
import type { SysPort } from './port.ts';
import { renderMount } from './render-mount.ts';

/** internal/ui/mounts: what a client may know of mounts, by its token or without one. */
export function internalUiPaths(port: SysPort): Path[] {
  return [
    path({
      pattern: 'internal/ui/mounts',
      synopsis:
        'Information about mounts returned according to their tuned visibility. Internal API; its location, inputs, and outputs may change.',
      access: 'unauthenticated',
      fields: {},
      operations: {
        read: {
          summary: 'Lists all enabled and visible auth and secrets mounts.',
          handler: async (request) => {
            const show = async (table: 'mounts' | 'auth'): Promise<JsonObject> => {
              const shown: JsonObject = {};
              for (const entry of port.mounts.entries(table)) {
                if (await hasAccess(port, request.token, prefix(entry)))
                  shown[entry.path] = renderMount(port, entry);
                else if (entry.config.listingVisibility === 'unauth') {
                  shown[entry.path] = {
                    description: entry.description,
                    options: entry.options === null ? null : { ...entry.options },
                    type: entry.type,
                  };
                }
              }
              return shown;
            };
            return data({ auth: await show('auth'), secret: await show('mounts') });
          },
        },
      },
    }),
    path({
      pattern: 'internal/ui/mounts/*path',
      synopsis: 'Return information about the given mount.',
      access: 'unauthenticated',
      fields: { path: { type: 'string', description: 'The path of the mount.', required: true } },
      operations: {
        read: {
          summary: 'Return information about the given mount.',
          handler: async (request, values) => {
            const mounted = port.mounts.find(values.path);
            if (mounted === undefined || !(await hasAccess(port, request.token, mounted.prefix)))
              return permissionDenied;
            return data({ ...renderMount(port, mounted.entry), path: mounted.prefix });
          },
        },
      },
    }),
    path({
      pattern: 'internal/ui/resultant-acl',
      synopsis:
        "Information about a token's resultant ACL. Internal API; its location, inputs, and outputs may change.",
      fields: {},
      operations: {
        read: {
          summary: "Return the rules that the caller's token is under.",
          handler: async ({ token }) => {
            if (token === undefined) return permissionDenied;
            if (token.policies.includes('root')) return data({ root: true });
            return data({ root: false, ...(await port.tokens.acl(token)).describe() });
          },
        },
      },
    }),
    path({
      pattern: 'internal/ui/namespaces',
      synopsis: 'Information about visible child namespaces.',
      access: 'unauthenticated',
      fields: {},
      operations: {
        read: {
          summary: 'List the namespaces below this one: there are none.',
          handler: () => data({ keys: [] }),
        },
      },
    }),
  ];
}

function prefix(entry: MountEntry): string {
  return entry.table === 'auth' ? `auth/${entry.path}` : entry.path;
}

/** Whether a token may do anything below a mount. */
export async function hasAccess(
  port: SysPort,
  token: TokenEntry | undefined,
  mountPrefix: string,
): Promise<boolean> {
  if (token === undefined) return false;
  if (token.policies.includes('root')) return true;
  return (await port.tokens.acl(token)).hasAccessBelow(mountPrefix);
}
