import type { JsonObject } from '../../lib/json.ts';
import { type Path, path } from '../logical/logical.ts';
import { accepted, badRequest, data, empty, keys, notFound, type Response } from '../logical/response.ts';
import type { SysPort } from './port.ts';

const leaseId = {
  type: 'string',
  description: 'The lease identifier, as it came with the secret.',
  default: '',
} as const;
const urlLeaseId = {
  type: 'string',
  description: 'The lease identifier, in the path.',
  default: '',
} as const;
const increment = {
  type: 'duration',
  description: 'The desired increment in seconds to the lease.',
  default: 0,
} as const;
const sync = {
  type: 'bool',
  description: 'Whether to answer only when the secrets are taken back.',
  default: false,
} as const;
const prefix = { type: 'string', description: 'The path of the leases.', default: '' } as const;
const unnamed = badRequest('lease_id must be specified');

/** leases/: look up, list, renew, revoke, tidy, count; and the older renew, revoke, revoke-prefix and revoke-force. */
export function leasePaths(port: SysPort): Path[] {
  const list = async (given: string): Promise<Response> =>
    keys(await port.leases.list(given === '' || given.endsWith('/') ? given : `${given}/`));
  return [
    path({
      pattern: 'leases/lookup/',
      synopsis: 'Returns a list of lease ids.',
      access: 'sudo',
      fields: {},
      operations: { list: { summary: 'List the first segments of lease ids.', handler: () => list('') } },
    }),
    path({
      pattern: 'leases/lookup',
      synopsis: 'View or list lease metadata.',
      fields: { lease_id: leaseId },
      operations: {
        update: {
          summary: 'Retrieve lease metadata.',
          handler: (_request, values) => lookup(port, values.lease_id),
        },
      },
    }),
    path({
      pattern: 'leases/lookup/*prefix',
      synopsis: 'Returns a list of lease ids.',
      access: 'sudo',
      fields: { prefix },
      operations: {
        list: {
          summary: 'List lease ids below a prefix.',
          handler: (_request, values) => list(values.prefix),
        },
      },
    }),
    ...['leases/renew', 'renew'].flatMap((pattern) => renewRows(port, pattern)),
    ...['leases/revoke', 'revoke'].flatMap((pattern) => revokeRows(port, pattern)),
    ...['leases/revoke-prefix', 'revoke-prefix'].map((pattern) => prefixRow(port, pattern, false)),
    ...['leases/revoke-force', 'revoke-force'].map((pattern) => prefixRow(port, pattern, true)),
    path({
      pattern: 'leases/tidy',
      synopsis:
        'This endpoint performs cleanup tasks that can be run if certain error conditions have occurred.',
      fields: {},
      operations: {
        update: {
          summary: 'Take back now what has expired.',
          handler: async () => {
            await port.leases.tidy();
            return {
              kind: 'data',
              data: null,
              status: 202,
              warnings: [
                'Tidy operation successfully started. Any information from the operation will be printed to the server logs.',
              ],
            };
          },
        },
      },
    }),
    ...irrevocableRows(port),
  ];
}

async function lookup(port: SysPort, id: string): Promise<Response> {
  if (id === '') return unnamed;
  const lease = await port.leases.lookup(id);
  if (lease === undefined) return badRequest('invalid lease');
  const now = Math.floor(port.now() / 1000);
  const live = lease.expireTime > now;
  return data({
    id,
    issue_time: rfc3339(lease.issueTime),
    expire_time: lease.expireTime === 0 ? null : rfc3339(lease.expireTime),
    last_renewal: lease.lastRenewal === 0 ? null : rfc3339(lease.lastRenewal),
    renewable: lease.renewable && live,
    ttl: lease.expireTime === 0 ? 0 : lease.expireTime - now,
  });
}

function renewRows(port: SysPort, pattern: string): Path[] {
  const renew = async (id: string, seconds: number): Promise<Response> => {
    if (id === '') return unnamed;
    const renewed = await port.leases.renew(id, seconds);
    if ('refused' in renewed) return badRequest(renewed.refused);
    const { ttl, renewable, warnings } = renewed;
    return { kind: 'leased', data: null, leaseId: id, renewable, leaseDuration: ttl, warnings };
  };
  const fields = { lease_id: leaseId, url_lease_id: urlLeaseId, increment } as const;
  const row = (full: string): Path =>
    path({
      pattern: full,
      synopsis: 'Renew a lease on a secret',
      fields,
      operations: {
        update: {
          summary: 'Renews a lease, requesting to extend the lease.',
          handler: (_request, values) => renew(values.lease_id || values.url_lease_id, values.increment),
        },
      },
    });
  return [row(pattern), row(`${pattern}/*url_lease_id`)];
}

function revokeRows(port: SysPort, pattern: string): Path[] {
  const revoke = async (id: string, now: boolean): Promise<Response> => {
    if (id === '') return unnamed;
    const failed = await port.leases.revoke(id, now);
    if (failed !== undefined) return badRequest(failed);
    return now ? empty : accepted;
  };
  const fields = { lease_id: leaseId, url_lease_id: urlLeaseId, sync } as const;
  const row = (full: string): Path =>
    path({
      pattern: full,
      synopsis: 'Revoke a leased secret immediately',
      fields,
      operations: {
        update: {
          summary: 'Revokes a lease immediately.',
          handler: (_request, values) => revoke(values.lease_id || values.url_lease_id, values.sync),
        },
      },
    });
  return [row(pattern), row(`${pattern}/*url_lease_id`)];
}

function prefixRow(port: SysPort, pattern: string, force: boolean): Path {
  return path({
    pattern: `${pattern}/*prefix`,
    synopsis: force
      ? 'Revoke all secrets generated in a given prefix, ignoring errors.'
      : 'Revoke all secrets generated in a given prefix',
    access: 'sudo',
    fields: force ? { prefix } : { prefix, sync },
    operations: {
      update: {
        summary: force
          ? 'Revokes all secrets below a prefix; leases go even if their engine fails.'
          : 'Revokes all secrets below a prefix.',
        handler: async (_request, values) => {
          if (values.prefix === '') return badRequest('prefix must be specified');
          const now = force || ('sync' in values && values.sync === true);
          const one = values.prefix.endsWith('/') ? undefined : await port.leases.lookup(values.prefix);
          const below = values.prefix.endsWith('/') ? values.prefix : `${values.prefix}/`;
          const failed =
            (one === undefined ? undefined : await port.leases.revoke(values.prefix, now)) ??
            (await port.leases.revokePrefix(below, { sync: now, force }));
          if (failed !== undefined) return badRequest(failed);
          return now ? empty : accepted;
        },
      },
    },
  });
}

function irrevocableRows(port: SysPort): Path[] {
  const fields = {
    type: {
      type: 'string',
      description: 'The type of leases: irrevocable.',
      default: '',
      query: true,
    },
    include_child_namespaces: {
      type: 'bool',
      description: 'Whether leases of child namespaces are counted.',
      default: false,
      query: true,
    },
  } as const;
  return [
    path({
      pattern: 'leases/count',
      synopsis: 'Count of leases associated with this server',
      fields,
      operations: {
        read: {
          summary: 'Count the leases that were given up.',
          handler: async (_request, values) => {
            if (values.type.toLowerCase() !== 'irrevocable') return notFound;
            const found = await port.leases.irrevocable();
            const counts: JsonObject = {};
            for (const { mount } of found) counts[mount] = Number(counts[mount] ?? 0) + 1;
            return data({ lease_count: found.length, counts });
          },
        },
      },
    }),
    path({
      pattern: 'leases',
      synopsis: 'List leases associated with this server',
      access: 'sudo',
      fields: {
        ...fields,
        limit: {
          type: 'string',
          description: 'How many leases are shown at most; none for all.',
          default: '',
          query: true,
        },
      },
      operations: {
        read: {
          summary: 'List the leases that were given up.',
          handler: async (_request, values) => {
            if (values.type.toLowerCase() !== 'irrevocable') return notFound;
            const limit = values.limit === '' ? 10_000 : values.limit === 'none' ? Infinity : +values.limit;
            if (!(limit > 0)) return badRequest("invalid 'limit' value, must be a positive number or 'none'");
            const found = await port.leases.irrevocable();
            const shown = found.slice(0, limit);
            const leases = shown.map(({ id, mount, error }) => ({ lease_id: id, mount_id: mount, error }));
            return data(
              { lease_count: found.length, leases },
              shown.length < found.length
                ? [`only ${shown.length} of ${found.length} leases are shown; set limit to see more`]
                : undefined,
            );
          },
        },
      },
    }),
  ];
}

function rfc3339(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
