import { text, utf8 } from '../../../lib/bytes.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import { Secret } from '../../../lib/secret.ts';
import type { BarrierOperation } from '../../barrier/barrier.ts';
import { getJson, jsonPut, type Storage } from '../../logical/storage.ts';
import type { Physical, PhysicalOperation } from '../../physical/physical.ts';
import { breakGlassPublicKey } from '../../seal/break-glass.ts';
import { isHsmSeal } from '../../seal/seal.ts';
import type { CeremonyRefusal } from '../../sys/ceremony-port.ts';
import type { CommitPorts } from '../quorum/commit.ts';
import type { QuorumSize } from '../quorum/quorum.ts';
import type { Act, Commit } from './act.ts';
import { holdersOf, openPending, splitAmong } from './pending-key.ts';

/**
 * The break-glass seal of a vault, off until its owner turns it on by a ceremony.
 *
 * I1  The public key that everything is sealed to stands behind the barrier: who only writes to the storage cannot put
 *     another one in its place. Outside of it stands how many shares there are, and nothing that is used for sealing.
 * I2  The private key is nowhere once its shares are out, but for the part that the HSM seals until they are proved, for a
 *     purpose of its own: it opens in no other place, and nothing else opens in its.
 * I3  Turning it off takes the quorum of recovery shares too; what was copied from the storage before stays openable.
 */
export interface BreakGlassRecord {
  readonly publicKey: string;
  readonly threshold: number;
  readonly createdAt: string;
  readonly holders: readonly {
    readonly name: string;
    readonly fingerprint: string;
    readonly proofKey: string;
  }[];
}

const PATH = 'core/break-glass';
const PURPOSE = 'pending-break-glass-key';
const SIZE = 'core/break-glass-config';

export function readBreakGlass(storage: Storage): Promise<BreakGlassRecord | undefined> {
  return getJson<BreakGlassRecord>(storage, PATH);
}

/** How many shares open the vault without its HSM; zeros when none do. */
export async function breakGlassSize(physical: Physical): Promise<QuorumSize> {
  const bytes = await physical.get(SIZE);
  if (bytes === undefined) return { shares: 0, threshold: 0 };
  const { secret_shares: shares, secret_threshold: threshold } = JSON.parse(text(bytes)) as Record<
    string,
    number
  >;
  return { shares: shares ?? 0, threshold: threshold ?? 0 };
}

/** What takes the break-glass seal away. */
export const breakGlassGone: {
  readonly behind: readonly BarrierOperation[];
  readonly outside: readonly PhysicalOperation[];
} = {
  behind: [{ type: 'delete', key: PATH }],
  outside: [{ type: 'delete', key: SIZE }],
};

export interface BreakGlassPorts extends CommitPorts {
  readonly clock: Clock;
  readonly log: Logger;
  /** Wraps everything again, with the part for the people or without it. */
  readonly rewrap: () => void;
}

/** Turns the break-glass seal on for custodians, or, for a plan without any, off. */
export function breakGlass(ports: BreakGlassPorts): Act {
  const { random, seal, clock, log } = ports;
  const put = (publicKey: string | undefined): void => {
    if (isHsmSeal(seal)) seal.breakGlass(publicKey);
    ports.rewrap();
  };
  return {
    begin: async (record) => {
      if (record.plan.custodians.length === 0) {
        return {
          record: { ...record, state: 'committed' },
          ...breakGlassGone,
          afterwards: () => {
            put(undefined);
            log.warn({}, 'the break-glass seal is off: rotate the root key, and old backups stay openable');
          },
        };
      }
      await random.ready();
      using key = Secret.own(random.bytes(32));
      const more = { generation: 0, purpose: PURPOSE, publicKey: breakGlassPublicKey(key) } as const;
      return { record: await splitAmong(ports, record, key, more) };
    },
    commit: async (record, pending, signal): Promise<Commit | CeremonyRefusal> => {
      const { threshold } = record.plan;
      const holders = holdersOf(record, pending);
      const publicKey = pending.publicKey ?? '';
      using key = await openPending(ports, pending, PURPOSE, signal);
      if (breakGlassPublicKey(key) !== publicKey)
        return {
          status: 400,
          refused: 'the key that was sealed is not that of these shares: cancel this ceremony',
        };
      const createdAt = new Date(clock.now()).toISOString();
      const size = { secret_shares: holders.length, secret_threshold: threshold };
      return {
        behind: [jsonPut(PATH, { publicKey, threshold, createdAt, holders })],
        outside: [{ type: 'put', key: SIZE, value: utf8(JSON.stringify(size)) }],
        afterwards: () => {
          put(publicKey);
          log.warn(
            { holders: holders.map(({ name }) => name), threshold },
            'the break-glass seal is on: these people together can open this vault without its HSM',
          );
        },
      };
    },
  };
}
