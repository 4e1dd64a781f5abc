import type { Clock } from '../../../lib/clock.ts';
import type { TokenStore } from '../../token/token.ts';
import { handOutToken, inspectKeys } from '../quorum/hand-out.ts';
import type { Act } from './act.ts';

/** A root token for one person, for a time. */
export function generateRootToken({
  tokens,
  clock,
}: {
  readonly tokens: TokenStore;
  readonly clock: Clock;
}): Act {
  return {
    begin: async (record) => {
      const { requester, ttl, id } = record.plan;
      const inspected = await inspectKeys([requester?.pgpKey ?? ''], new Date(clock.now()));
      const [to] = typeof inspected === 'string' ? [] : inspected;
      if (to === undefined) throw new TypeError('a key of a checked plan cannot be used any more');
      const issued = await tokens.create({
        parent: '',
        policies: ['root'],
        path: 'auth/token/root',
        displayName: 'root',
        meta: { ceremony: id },
        numUses: 0,
        ttl,
        explicitMaxTtl: ttl,
        period: 0,
        renewable: false,
        orphan: true,
        entityId: '',
      });
      if (issued === undefined) throw new TypeError('a token with a random text cannot be taken');
      try {
        const message = await handOutToken(issued.text, to);
        const expiresAt = new Date(clock.now() + ttl * 1000).toISOString();
        return {
          ...record,
          state: 'committed',
          token: { accessor: issued.entry.accessor, expiresAt, message },
        };
      } catch (error) {
        await tokens.revoke(issued.entry.hash);
        throw error;
      }
    },
  };
}
