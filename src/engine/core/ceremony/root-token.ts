import type { Clock } from '../../../lib/clock.ts';
import type { TokenStore } from '../../token/token.ts';
import { createRootToken } from '../quorum/generate-root.ts';
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
      const issued = await createRootToken(tokens, ttl, { ceremony: id });
      try {
        const message = await handOutToken(issued.text, to);
        const expiresAt = new Date(clock.now() + ttl * 1000).toISOString();
        return {
          record: {
            ...record,
            state: 'committed',
            token: { accessor: issued.entry.accessor, expiresAt, message },
          },
        };
      } catch (error) {
        await tokens.revoke(issued.entry.hash);
        throw error;
      }
    },
  };
}
