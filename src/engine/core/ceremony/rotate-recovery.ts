import { fromBase64 } from '../../../lib/bytes.ts';
import type { Clock } from '../../../lib/clock.ts';
import { Secret } from '../../../lib/secret.ts';
import { type CommitPorts, sealConfig } from '../quorum/commit.ts';
import { recoveryConfigPut, recoveryKeyPut } from '../seal-store.ts';
import type { Act } from './act.ts';
import { holdersPut, readHolders } from './holders.ts';
import { holdersOf, splitAmong } from './pending-key.ts';

/** New recovery shares for new custodians. */
export function rotateRecovery(ports: CommitPorts & { readonly clock: Clock }): Act {
  const { random, seal, physical, barrier, clock } = ports;
  return {
    begin: async (record) => {
      await random.ready();
      using key = Secret.own(random.bytes(32));
      const generation = (await readHolders(barrier))?.generation ?? 0;
      return { record: await splitAmong(ports, record, key, { generation }) };
    },
    commit: async (record, pending, signal) => {
      const { clusterId } = await sealConfig(physical);
      const context = { clusterId, purpose: 'recovery-key' } as const;
      await seal.open({ signal, allowGenerateKey: false });
      // By the HSM's key of today, and as the last look whether it opens at all.
      using key = await seal.unwrap(fromBase64(pending.blob) ?? new Uint8Array(), context, { signal });
      const sealed = await seal.wrap(key, context, { signal });
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
