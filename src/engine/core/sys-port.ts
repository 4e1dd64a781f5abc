import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { SysPort } from '../sys/port.ts';
import { view } from '../logical/storage.ts';
import { leasePort } from './lease-port.ts';
import { versionsOf } from './versions.ts';
import type { BackendFactories } from './mounts.ts';
import type { Vault } from './vault.ts';

/** What the system backend says of the process. */
export interface SysPortOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly factories: BackendFactories;
  readonly version: string;
  readonly apiAddress?: string;
}

const NANOSECONDS = 1_000_000_000;

/** An open vault as the system backend sees it. */
export function sysPort(
  vault: Vault,
  { clock, random, factories, version, apiAddress = '' }: SysPortOptions,
  seal: () => Promise<void>,
): SysPort {
  const { mounts, policies, tokens, barrier, wrapping, auditTable } = vault;
  return {
    storage: view(barrier, 'sys/'),
    random,
    now: () => clock.now(),
    server: { version, apiAddress },
    catalog: {
      auth: Object.keys(factories.auth),
      database: factories.databases,
      secret: Object.keys(factories.secrets),
    },
    counts: {
      tokens: async () => (await tokens.accessors()).length,
      entities: async () => (await barrier.list('sys/identity/entity/')).length,
    },
    versions: () => versionsOf(barrier),
    rotation: {
      get: () => {
        const { disabled, maxOperations, interval } = barrier.rotation();
        return { enabled: !disabled, maxOperations, interval: interval / NANOSECONDS };
      },
      set: ({ enabled, maxOperations, interval }) =>
        barrier.setRotation({ disabled: !enabled, maxOperations, interval: interval * NANOSECONDS }),
    },
    mounts: {
      entries: (table) => mounts.entries(table),
      leaseTtl: (config) => mounts.leaseTtl(config),
      mount: (request) => mounts.mount(request),
      unmount: (table, path) => mounts.unmount(table, path),
      tune: (table, path, edit) => mounts.tune(table, path, edit),
      find: (path) => mounts.router.find(path),
      all: () => mounts.router.all(),
      remount: async (from, to) => (await mounts.remount(from, to))?.refused,
      reload: async (type, paths) => (await mounts.reload(type, paths))?.refused,
    },
    policies,
    tokens,
    leases: leasePort(vault),
    wrapping,
    audit: auditTable,
    keyStatus: () => barrier.keyStatus(),
    rotate: async () => {
      await barrier.rotate(random, new Date(clock.now()));
    },
    seal,
  };
}
