import type { KeyRandom } from '../../lib/key-random.ts';
import { Secret } from '../../lib/secret.ts';
import { Barrier, type BarrierOperation } from '../barrier/barrier.ts';
import type { Physical, PhysicalOperation } from '../physical/physical.ts';
import { type HsmSeal, isHsmSeal, isSameKey, type Seal } from '../seal/seal.ts';
import { isBreakGlass } from '../seal/break-glass.ts';
import { isShamir } from '../seal/shamir.ts';
import { breakGlassGone, breakGlassSize } from './ceremony/break-glass.ts';
import { holdersGone } from './ceremony/holders.ts';
import { retiredKeys, retiredKeysPut } from './seal-records.ts';
import { migratedEpochKeys } from './seal-wrap-keys.ts';
import {
  readRecoveryConfig,
  readRecoveryKey,
  readStoredKey,
  recoveryConfigPut,
  recoveryKeyPut,
  recoveryRecordsGone,
  type SealConfig,
  sealConfigPut,
  storedKeyPut,
} from './seal-store.ts';

/** The two seals of a migration and the keys between them. */
export interface MigrationSides {
  readonly from: Seal;
  /** Ready to wrap. */
  readonly to: Seal;
  readonly config: SealConfig;
  readonly rootKey: Secret;
  /** What the old seal's quorum made: it goes on as the new seal's recovery or unseal key. */
  readonly key: Secret;
}

export interface CommitMigrationPorts {
  readonly physical: Physical;
  readonly random: KeyRandom;
  readonly signal: AbortSignal;
}

const UNSEAL_BACKUP = 'core/unseal-keys-backup';
const RECOVERY_BACKUP = 'core/recovery-keys-backup';

/** What a migration does, in words for people. */
export function plannedActions(from: Seal, to: Seal): string[] {
  if (isShamir(from))
    return [
      'the root key is replaced, and the new one is wrapped by the HSM',
      'the unseal key becomes the recovery key: its shares stay the same',
      'from then on the vault unseals by itself',
    ];
  if (isShamir(to) && isBreakGlass(from))
    return [
      'the root key is opened by the break-glass shares, which become the unseal shares',
      'from then on the vault unseals by shares only, and has no recovery key',
    ];
  if (isShamir(to))
    return [
      'the root key is wrapped by the recovery key, which becomes the unseal key: its shares stay the same',
      'from then on the vault unseals by shares only',
    ];
  if (isBreakGlass(from))
    return [
      'the root key and the recovery key are opened by the break-glass shares and wrapped by the new HSM',
      'the recovery shares stay the same; the break-glass seal is off until a ceremony turns it on again',
    ];
  return [
    'the root key and the recovery key are wrapped by the new HSM',
    'the recovery shares stay the same',
  ];
}

/** Writes everything that changes hands, in one atomic write. */
export async function commitMigration(ports: CommitMigrationPorts, sides: MigrationSides): Promise<void> {
  const barrier = await Barrier.unseal(ports.physical, sides.rootKey);
  try {
    if (isShamir(sides.from)) await shamirToHsm(ports, sides, barrier);
    else if (isShamir(sides.to)) await hsmToShamir(ports, sides, barrier);
    else {
      const { behind, outside } = await takeOver(ports, sides, barrier);
      await barrier.write(behind, outside);
    }
  } finally {
    barrier.seal();
  }
}

async function shamirToHsm(
  { random, signal }: CommitMigrationPorts,
  { from, to, config, key }: MigrationSides,
  barrier: Barrier,
): Promise<void> {
  const { clusterId, secretShares, secretThreshold } = config;
  const wrapping = await migratedEpochKeys(barrier, { from, to, clusterId }, signal);
  // People could have made a copy of the old root key with the unseal key: the new one has only been inside the HSM's care.
  await random.ready();
  using rootKey = Secret.own(random.bytes(32));
  const outside = [
    sealConfigPut({ type: to.type, secretShares: 1, secretThreshold: 1, clusterId }),
    recoveryConfigPut({ shares: secretShares, threshold: secretThreshold }),
    recoveryKeyPut(await to.wrap(key, { clusterId, purpose: 'recovery-key' }, { signal })),
    storedKeyPut(await to.wrap(rootKey, { clusterId, purpose: 'root-key' }, { signal })),
  ];
  const behind = [...(await backupMoved(barrier, UNSEAL_BACKUP, RECOVERY_BACKUP)), holdersGone];
  await barrier.rekey(rootKey, [...behind, ...wrapping], () => Promise.resolve(outside));
}

async function hsmToShamir(
  { physical, signal }: CommitMigrationPorts,
  { from, to, config, rootKey }: MigrationSides,
  barrier: Barrier,
): Promise<void> {
  const { clusterId } = config;
  const wrapping = await migratedEpochKeys(barrier, { from, to, clusterId }, signal);
  // With the HSM lost, it is the break-glass shares that become the unseal shares.
  const size = isBreakGlass(from) ? breakGlassSize(physical) : readRecoveryConfig(physical);
  const { shares: secretShares, threshold: secretThreshold } = await size;
  const behind = [...(await backupMoved(barrier, RECOVERY_BACKUP, UNSEAL_BACKUP)), holdersGone];
  await barrier.write(
    [...behind, ...breakGlassGone.behind, ...wrapping],
    [
      ...breakGlassGone.outside,
      sealConfigPut({ type: to.type, secretShares, secretThreshold, clusterId }),
      ...recoveryRecordsGone,
      storedKeyPut(await to.wrap(rootKey, { clusterId, purpose: 'root-key' }, { signal })),
    ],
  );
}

/** What is written at once when one HSM takes over from another, or from the break-glass shares. */
export interface TakeOver {
  readonly behind: readonly BarrierOperation[];
  readonly outside: readonly PhysicalOperation[];
}

/** Wraps by the new HSM what the old one wrapped; the caller writes it, and keeps the root key. */
export async function takeOver(
  { physical, signal }: Pick<CommitMigrationPorts, 'physical' | 'signal'>,
  { from, to, config, rootKey }: Omit<MigrationSides, 'key'>,
  barrier: Barrier,
): Promise<TakeOver> {
  const { clusterId } = config;
  const wrapping = await migratedEpochKeys(barrier, { from, to, clusterId }, signal);
  const outside: PhysicalOperation[] = [
    sealConfigPut(config),
    storedKeyPut(await to.wrap(rootKey, { clusterId, purpose: 'root-key' }, { signal })),
  ];
  const recovery = await readRecoveryKey(physical);
  if (recovery !== undefined) {
    const context = { clusterId, purpose: 'recovery-key' } as const;
    using recoveryKey = await from.unwrap(recovery, context, { signal });
    outside.push(recoveryKeyPut(await to.wrap(recoveryKey, context, { signal })));
  }
  if (isHsmSeal(from) && isHsmSeal(to)) outside.push(await leftBehind(physical, from, to));
  // Shares that opened a vault are worn out; a new HSM gets new ones by a ceremony.
  const used = isBreakGlass(from) ? breakGlassGone : { behind: [], outside: [] };
  return { behind: [...wrapping, ...used.behind], outside: [...outside, ...used.outside] };
}

// So that the status goes on to say that nothing names the old HSM's key any more.
async function leftBehind(physical: Physical, from: HsmSeal, to: HsmSeal): Promise<PhysicalOperation> {
  const blob = await readStoredKey(physical);
  const left = [...(await retiredKeys(physical)), ...(blob === undefined ? [] : from.keysOf(blob))];
  const current = to.backends().flatMap(({ key }) => (key === undefined ? [] : [key]));
  return retiredKeysPut(left.filter((key) => !current.some((each) => isSameKey(key, each))));
}

// The encrypted shares that a rekey kept for their holders are still the right ones, under the other name.
async function backupMoved(barrier: Barrier, from: string, to: string): Promise<BarrierOperation[]> {
  const kept = await barrier.get(from);
  if (kept === undefined) return [];
  return [
    { type: 'put', key: to, value: kept },
    { type: 'delete', key: from },
  ];
}
