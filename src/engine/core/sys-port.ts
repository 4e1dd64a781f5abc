import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { SysPort } from '../sys/port.ts';
import type { Vault } from './vault.ts';

/** An open vault as the system backend sees it. */
export function sysPort(
  vault: Vault,
  { clock, random }: { clock: Clock; random: Random },
  seal: () => Promise<void>,
): SysPort {
  const { mounts, policies, tokens, barrier, wrapping, auditTable } = vault;
  return {
    mounts: {
      entries: (table) => mounts.entries(table),
      leaseTtl: (config) => mounts.leaseTtl(config),
      mount: (request) => mounts.mount(request),
      unmount: (table, path) => mounts.unmount(table, path),
      tune: (table, path, edit) => mounts.tune(table, path, edit),
      find: (path) => mounts.router.find(path),
    },
    policies,
    tokens,
    wrapping,
    audit: auditTable,
    keyStatus: () => barrier.keyStatus(),
    rotate: async () => {
      await barrier.rotate(random, new Date(clock.now()));
    },
    seal,
  };
}
