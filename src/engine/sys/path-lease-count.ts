import { type Path, path } from '../logical/logical.ts';
import { badRequest, data, empty, keys, notFound } from '../logical/response.ts';
import type { SysPort } from './port.ts';

/** quotas/lease-count: so many leases at a time below a path, those of logins included. */
export function leaseCountPaths({ leaseCounts, mounts }: SysPort): Path[] {
  return [
    path({
      pattern: 'quotas/lease-count',
      synopsis: 'Lists the names of all the lease count quotas.',
      fields: {},
      operations: {
        list: { summary: 'List the lease count quotas.', handler: () => keys(leaseCounts.names()) },
      },
    }),
    path({
      pattern: 'quotas/lease-count/:name',
      synopsis: 'Get, create or update lease count resource quota for an optional namespace or mount.',
      fields: {
        name: { type: 'string', description: 'Name of the quota rule.', required: true },
        type: { type: 'string', description: 'Type of the quota rule: lease-count.', default: 'lease-count' },
        path: { type: 'string', description: 'Mount or path; empty for all.' },
        role: {
          type: 'string',
          description: 'Accepted when empty: a quota counts the logins of all roles.',
          default: '',
        },
        max_leases: { type: 'int', description: 'How many leases there may be at a time.' },
        inheritable: { type: 'bool', description: 'Accepted; there are no namespaces to inherit.' },
      },
      operations: {
        read: {
          summary: 'Read a lease count quota.',
          handler: async (_request, { name }) => {
            const rule = leaseCounts.get(name);
            if (rule === undefined) return notFound;
            return data({
              type: 'lease-count',
              name,
              path: rule.path,
              role: '',
              max_leases: rule.maxLeases,
              counter: await leaseCounts.counted(rule),
              inheritable: rule.path === '',
            });
          },
        },
        update: {
          summary: 'Create or update a lease count quota.',
          handler: async (_request, values) => {
            const before = leaseCounts.get(values.name);
            if (values.type !== '' && values.type !== 'lease-count')
              return badRequest('type must be "lease-count"');
            if (values.role !== '')
              return badRequest("'role' is not supported: a quota counts the logins of all roles");
            const maxLeases = values.max_leases ?? before?.maxLeases ?? 0;
            if (maxLeases <= 0) return badRequest("'max_leases' is invalid");
            const place = (values.path ?? before?.path ?? '').replace(/^\//, '');
            const mounted = place === '' ? undefined : mounts.find(place.replace(/\*$/, ''));
            if (place !== '' && mounted === undefined)
              return badRequest(`invalid mount path ${JSON.stringify(place)}`);
            await leaseCounts.put({
              name: values.name,
              path: place === mounted?.prefix.replace(/\/$/, '') ? mounted.prefix : place,
              maxLeases,
            });
            return empty;
          },
        },
        delete: {
          summary: 'Delete a lease count quota.',
          handler: async (_request, { name }) => {
            await leaseCounts.delete(name);
            return empty;
          },
        },
      },
    }),
  ];
}
