import type { Quotas } from '../quota/quota.ts';
import { type Path, path } from '../logical/logical.ts';
import { badRequest, data, empty, keys, notFound } from '../logical/response.ts';
import { leaseCountPaths } from './path-lease-count.ts';
import type { SysPort } from './port.ts';

const MAX_PATH = 1500;
/** Auth methods whose login has a field `role`. */
const NAME_ROLES: readonly string[] = ['jwt', 'kubernetes', 'oidc'];

/** quotas/config, quotas/rate-limit and quotas/lease-count. */
export function quotaPaths(port: SysPort): Path[] {
  const { quotas, mounts } = port;
  return [
    ...leaseCountPaths(port),
    configPath(quotas),
    path({
      pattern: 'quotas/rate-limit',
      synopsis: 'Lists the names of all the rate limit quotas.',
      fields: {},
      operations: { list: { summary: 'List the rate limit quotas.', handler: () => keys(quotas.names()) } },
    }),
    path({
      pattern: 'quotas/rate-limit/:name',
      synopsis: 'Get, create or update rate limit resource quota for an optional namespace or mount.',
      fields: {
        name: { type: 'string', description: 'Name of the quota rule.', required: true },
        type: { type: 'string', description: 'Type of the quota rule: rate-limit.', default: 'rate-limit' },
        path: { type: 'string', description: 'Mount or path; empty for everything.' },
        role: { type: 'string', description: 'Login role on an auth mount.' },
        rate: { type: 'any', description: 'Requests in an interval: a positive number.' },
        interval: { type: 'duration', description: 'The interval; one second by default.' },
        block_interval: { type: 'duration', description: 'How long a client is refused once it exceeds.' },
        inheritable: { type: 'bool', description: 'Accepted; there are no namespaces to inherit.' },
      },
      operations: {
        read: {
          summary: 'Read a rate limit quota.',
          handler: (_request, { name }) => {
            const rule = quotas.get(name);
            if (rule === undefined) return notFound;
            return data({
              type: 'rate-limit',
              name: rule.name,
              path: rule.path,
              role: rule.role,
              rate: rule.rate,
              interval: rule.interval,
              block_interval: rule.blockInterval,
              inheritable: rule.inheritable,
            });
          },
        },
        update: {
          summary: 'Create or update a rate limit quota.',
          handler: async (_request, values) => {
            const before = quotas.get(values.name);
            if (values.type !== '' && values.type !== 'rate-limit')
              return badRequest(`type must be "rate-limit"`);
            const rate = values.rate === undefined ? (before?.rate ?? 0) : Number(values.rate);
            if (!(rate > 0) || !Number.isFinite(rate)) return badRequest("'rate' is invalid");
            const interval = values.interval ?? before?.interval ?? 1;
            if (interval <= 0) return badRequest("'interval' is invalid");
            const blockInterval = values.block_interval ?? before?.blockInterval ?? 0;
            if (blockInterval < 0) return badRequest("'block_interval' is invalid");
            const place = (values.path ?? before?.path ?? '').replace(/^\//, '');
            if (place.length > MAX_PATH) return badRequest("'path' is too long");
            const mounted = place === '' ? undefined : mounts.find(place.replace(/\*$/, ''));
            if (place !== '' && mounted === undefined)
              return badRequest(`invalid mount path ${JSON.stringify(place)}`);
            const role = values.role ?? before?.role ?? '';
            if (role !== '' && mounted?.entry.table !== 'auth')
              return badRequest("'role' needs a path that is an auth mount");
            if (role !== '' && !NAME_ROLES.includes(mounted?.entry.type ?? ''))
              return badRequest(
                `'role' is only supported for auth methods whose logins name one: ${NAME_ROLES.join(', ')}`,
              );
            await quotas.put({
              name: values.name,
              path:
                mounted !== undefined && place === mounted.prefix.replace(/\/$/, '') ? mounted.prefix : place,
              role,
              rate,
              interval,
              blockInterval,
              inheritable: values.inheritable ?? before?.inheritable ?? place === '',
            });
            return empty;
          },
        },
        delete: {
          summary: 'Delete a rate limit quota.',
          handler: async (_request, { name }) => {
            await quotas.delete(name);
            return empty;
          },
        },
      },
    }),
  ];
}

function configPath(quotas: Quotas): Path {
  return path({
    pattern: 'quotas/config',
    synopsis: 'Create, update and read the quota configuration.',
    fields: {
      enable_rate_limit_audit_logging: { type: 'bool', description: 'Write refused requests to audit.' },
      enable_rate_limit_response_headers: { type: 'bool', description: 'Tell clients where they stand.' },
      rate_limit_exempt_paths: { type: 'stringList', description: 'Paths that no quota is about.' },
    },
    operations: {
      read: {
        summary: 'Read the quota configuration.',
        handler: () =>
          data({
            enable_rate_limit_audit_logging: quotas.config.auditRefusals,
            enable_rate_limit_response_headers: quotas.config.responseHeaders,
            rate_limit_exempt_paths: [...quotas.config.exemptPaths],
          }),
      },
      update: {
        summary: 'Create or update the quota configuration.',
        handler: async (_request, values) => {
          await quotas.configure({
            auditRefusals: values.enable_rate_limit_audit_logging ?? quotas.config.auditRefusals,
            responseHeaders: values.enable_rate_limit_response_headers ?? quotas.config.responseHeaders,
            exemptPaths: values.rate_limit_exempt_paths ?? quotas.config.exemptPaths,
          });
          return empty;
        },
      },
    },
  });
}
