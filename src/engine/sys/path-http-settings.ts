import { CORS_HEADERS } from '../logical/cors-headers.ts';
import { type Path, path } from '../logical/logical.ts';
import { badRequest, data, empty, keys, notFound, type Response } from '../logical/response.ts';
import type { HttpSettingsPort } from './port.ts';

// RFC 9110 §5.1: what a header may be called.
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * config/cors, config/ui/headers and config/auditing/request-headers.
 * @param configured headers that the configuration file sets, in lower case
 */
export function httpSettingsPaths(settings: HttpSettingsPort, configured: () => readonly string[]): Path[] {
  return [corsPath(settings), ...uiHeaderPaths(settings, configured), ...auditedHeaderPaths(settings)];
}

function corsPath(settings: HttpSettingsPort): Path {
  return path({
    pattern: 'config/cors',
    synopsis: 'Configures or returns the current configuration of CORS settings.',
    access: 'sudo',
    fields: {
      enable: { type: 'bool', description: 'Enables or disables CORS headers on requests.' },
      allowed_origins: { type: 'commaList', description: 'Origins that may make cross-origin requests.' },
      allowed_headers: { type: 'commaList', description: 'Headers allowed in cross-origin requests.' },
      allow_credentials: { type: 'bool', description: 'Accepted; tokens are sent in a header.' },
    },
    operations: {
      read: {
        summary: 'Return the current CORS settings.',
        handler: () => {
          const { enabled, allowedOrigins, allowedHeaders } = settings.cors;
          return {
            kind: 'data',
            atTop: true,
            data: enabled
              ? {
                  enabled,
                  allowed_origins: [...allowedOrigins],
                  allowed_headers: [...CORS_HEADERS, ...allowedHeaders],
                }
              : { enabled },
          };
        },
      },
      update: {
        summary: 'Configure the CORS settings.',
        handler: async (_request, values) => {
          const origins = values.allowed_origins ?? [];
          const enabled = values.enable ?? true;
          if (enabled && origins.length === 0)
            return badRequest('at least one origin or the wildcard must be provided');
          if (origins.includes('*') && origins.length > 1)
            return badRequest("to allow all origins the '*' must be the only value for allowed_origins");
          await settings.setCors({
            enabled,
            allowedOrigins: origins,
            allowedHeaders: (values.allowed_headers ?? []).filter((name) => !CORS_HEADERS.includes(name)),
          });
          return empty;
        },
      },
      delete: {
        summary: 'Remove any CORS settings.',
        handler: async () => {
          await settings.setCors({ enabled: false, allowedOrigins: [], allowedHeaders: [] });
          return empty;
        },
      },
    },
  });
}

function uiHeaderPaths(settings: HttpSettingsPort, configured: () => readonly string[]): Path[] {
  return [
    path({
      pattern: 'config/ui/headers',
      synopsis: 'Lists the configured headers of pages.',
      access: 'sudo',
      fields: {},
      operations: {
        list: { summary: 'List the configured headers.', handler: () => keys(Object.keys(settings.ui)) },
      },
    }),
    path({
      pattern: 'config/ui/headers/:header',
      synopsis: 'Configures a header that pages are served with.',
      access: 'sudo',
      fields: {
        header: { type: 'string', description: 'The name of the header.', required: true },
        values: { type: 'stringList', description: 'The values to set the header.' },
        multivalue: { type: 'bool', description: 'Return all values.', default: false, query: true },
      },
      operations: {
        read: {
          summary: 'Return the configured header.',
          handler: (_request, { header, multivalue }) => {
            const values = settings.ui[header];
            if (values === undefined) return notFound;
            return data(multivalue ? { values: [...values] } : { value: values[0] ?? '' });
          },
        },
        update: {
          summary: 'Configure the value of the header.',
          handler: async (_request, { header, values }) => {
            if (!TOKEN.test(header)) return badRequest('invalid header name');
            if (/^x-vault-/i.test(header)) return badRequest('X-Vault headers cannot be set');
            if (configured().includes(header.toLowerCase()))
              return badRequest(
                'This header already exists in the server configuration and cannot be set in the UI.',
              );
            if (values === undefined || values.length === 0) return badRequest('no values provided');
            if (values.some((value) => /[\r\n\0]/.test(value))) return badRequest('invalid header value');
            await settings.setUi(header, values);
            return empty;
          },
        },
        delete: {
          summary: 'Remove the header.',
          handler: async (_request, { header }) => {
            await settings.setUi(header, undefined);
            return empty;
          },
        },
      },
    }),
  ];
}

function auditedHeaderPaths(settings: HttpSettingsPort): Path[] {
  const render = (names: readonly string[]): Record<string, { hmac: boolean }> =>
    Object.fromEntries(names.map((name) => [name, { hmac: settings.audited[name]?.hmac ?? false }]));
  return [
    path({
      pattern: 'config/auditing/request-headers',
      synopsis: 'Lists the headers configured to be audited.',
      access: 'sudo',
      fields: {},
      operations: {
        read: {
          summary: 'List the request headers that are configured to be audited.',
          handler: (): Response => ({
            kind: 'data',
            atTop: true,
            data: { headers: render(Object.keys(settings.audited)) },
          }),
        },
      },
    }),
    path({
      pattern: 'config/auditing/request-headers/:header',
      names: { header: 'any' },
      synopsis: 'Configures the headers sent to the audit logs.',
      access: 'sudo',
      fields: {
        header: { type: 'string', description: 'The name of the header.', required: true },
        hmac: { type: 'bool', description: 'Write an HMAC of the value.', default: false },
      },
      operations: {
        read: {
          summary: 'Return the information for the given request header.',
          handler: (_request, { header }) => {
            const name = header.toLowerCase();
            return settings.audited[name] === undefined
              ? badRequest('Could not find header in config')
              : data(render([name]));
          },
        },
        update: {
          summary: 'Enable auditing of a header.',
          handler: async (_request, { header, hmac }) => {
            if (!TOKEN.test(header)) return badRequest('invalid header name');
            if (/^x-vault-token$|^authorization$/i.test(header) && !hmac)
              return badRequest('this header holds a credential: it can be audited with hmac=true only');
            await settings.setAudited(header, { hmac });
            return empty;
          },
        },
        delete: {
          summary: 'Disable auditing of the given request header.',
          handler: async (_request, { header }) => {
            await settings.setAudited(header, undefined);
            return empty;
          },
        },
      },
    }),
  ];
}
