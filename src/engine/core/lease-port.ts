import type { SysPort } from '../sys/port.ts';
import type { Vault } from './vault.ts';

/** Leases of secrets and of tokens, which the API shows side by side. */
export function leasePort({ leases, tokens }: Vault): SysPort['leases'] {
  return {
    lookup: async (id) => {
      const lease = await leases.lookup(id);
      if (lease !== undefined) return lease;
      const token = await tokens.byLease(id);
      if (token === undefined) return undefined;
      const { creationTime, expireTime, lastRenewal, renewable } = token;
      return { issueTime: creationTime, expireTime, lastRenewal, renewable };
    },
    list: async (prefix) => {
      const names = new Set([...(await leases.list(prefix)), ...(await tokens.leases(prefix))]);
      return [...names].toSorted((a, b) => (a < b ? -1 : 1));
    },
    renew: async (id, increment) => {
      if ((await tokens.byLease(id)) !== undefined)
        return { refused: 'tokens cannot be renewed through this endpoint' };
      const renewed = await leases.renew(id, increment);
      return 'refused' in renewed
        ? renewed
        : { renewable: renewed.lease.renewable, ttl: renewed.ttl, warnings: renewed.warnings };
    },
    revoke: async (id, sync) => {
      const token = await tokens.byLease(id);
      if (token !== undefined) {
        await tokens.revoke(token.hash);
        return undefined;
      }
      if (sync) return leases.revoke(id);
      await leases.expireSoon(id);
      return undefined;
    },
    revokePrefix: async (prefix, { sync, force }) => {
      await tokens.revokePrefix(prefix);
      if (sync) return leases.revokePrefix(prefix, force);
      await leases.expirePrefix(prefix);
      return undefined;
    },
    tidy: async () => {
      await tokens.tidy();
      await leases.tidy(async (hash) => (await tokens.byHash(hash)) !== undefined);
    },
    irrevocable: async () =>
      (await leases.irrevocable()).map(({ id, mount, error }) => ({ id, mount, error: error ?? '' })),
  };
}
