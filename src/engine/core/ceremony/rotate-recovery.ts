import type { Clock } from '../../../lib/clock.ts';
import { Secret } from '../../../lib/secret.ts';
import { type CommitPorts, sealConfig } from '../quorum/commit.ts';
import { recoveryConfigPut, recoveryKeyPut } from '../seal-store.ts';
import type { Act } from './act.ts';
import { holdersPut, readHolders } from './holders.ts';
import { holdersOf, openPending, splitAmong } from './pending-key.ts';

const PURPOSE = 'pending-recovery-key';

/** New recovery shares for new custodians. */
export function rotateRecovery(ports: CommitPorts & { readonly clock: Clock }): Act {
  const { random, seal, physical, barrier, clock } = ports;
  return {
    begin: async (record) => {
      await random.ready();
      using key = Secret.own(random.bytes(32));
      const generation = (await readHolders(barrier))?.generation ?? 0;
      return { record: await splitAmong(ports, record, key, { generation, purpose: PURPOSE }) };
    },
    commit: async (record, pending, signal) => {
      const { clusterId } = await sealConfig(physical);
      using key = await openPending(ports, pending, PURPOSE, signal);
      const sealed = await seal.wrap(key, { clusterId, purpose: 'recovery-key' }, { signal });
      const before = await readHolders(barrier);
      if ((before?.generation ?? 0) !== pending.generation)
        return {
          status: 400,
          refused: 'the recovery shares were replaced by something else meanwhile: cancel this ceremony',
        };
      const { threshold } = record.plan;
      const holders = holdersOf(record, pending);
      const createdAt = new Date(clock.now()).toISOString();
      return {
        behind: [holdersPut(before, { threshold, createdAt, holders })],
        outside: [recoveryConfigPut({ shares: holders.length, threshold }), recoveryKeyPut(sealed)],
      };
    },
  };
}
