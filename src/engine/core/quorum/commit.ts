import type { KeyRandom } from '../../../lib/key-random.ts';
import { Secret } from '../../../lib/secret.ts';
import type { Barrier, BarrierOperation } from '../../barrier/barrier.ts';
import type { PhysicalOperation } from '../../physical/physical.ts';
import type { Seal } from '../../seal/seal.ts';
import { createShamirSeal, type ShamirSeal } from '../../seal/shamir.ts';
import {
  readSealConfig,
  recoveryConfigPut,
  recoveryKeyPut,
  type SealConfig,
  sealConfigPut,
  storedKeyPut,
} from '../seal-store.ts';
import type { QuorumPorts, QuorumSize } from './quorum.ts';

/** Puts new keys in force, each in one atomic write: a crash leaves the old key or the new one, never neither. */
export interface CommitPorts extends QuorumPorts {
  readonly barrier: Barrier;
  readonly random: KeyRandom;
}

const signal: AbortSignal = new AbortController().signal;

/** A new recovery key, wrapped by the HSM. @param behind what is written behind the barrier with it */
export async function commitRecoveryKey(
  { barrier, physical, seal }: CommitPorts,
  key: Secret,
  size: QuorumSize,
  behind: readonly BarrierOperation[],
): Promise<void> {
  const { clusterId } = await sealConfig(physical);
  await seal.open({ signal, allowGenerateKey: false });
  await barrier.exclusively(async () => {
    const blob = await seal.wrap(key, { clusterId, purpose: 'recovery-key' }, { signal });
    await barrier.write(behind, [recoveryConfigPut(size), recoveryKeyPut(blob)]);
  });
}

/** A new root key behind the seal that is in use; its holders and their shares stay. */
export async function commitRootKey(ports: CommitPorts): Promise<void> {
  const { clusterId } = await sealConfig(ports.physical);
  await ports.seal.open({ signal, allowGenerateKey: false });
  await replaceRootKey(ports, ports.seal, clusterId, [], []);
}

/** A new unseal key, and under it a new root key. */
export async function commitUnsealKey(
  ports: CommitPorts & { readonly seal: ShamirSeal },
  key: Secret,
  size: QuorumSize,
  behind: readonly BarrierOperation[],
): Promise<void> {
  const config = await sealConfig(ports.physical);
  const next = createShamirSeal(ports.random);
  next.setKey(key);
  try {
    const changed = sealConfigPut({ ...config, secretShares: size.shares, secretThreshold: size.threshold });
    await replaceRootKey(ports, next, config.clusterId, behind, [changed]);
  } finally {
    next.forget();
  }
  ports.seal.setKey(key);
}

async function replaceRootKey(
  { barrier, random }: CommitPorts,
  seal: Seal,
  clusterId: string,
  behind: readonly BarrierOperation[],
  outside: readonly PhysicalOperation[],
): Promise<void> {
  await random.ready();
  using rootKey = Secret.own(random.bytes(32));
  await barrier.rekey(rootKey, behind, async () => {
    const blob = await seal.wrap(rootKey, { clusterId, purpose: 'root-key' }, { signal });
    return [...outside, storedKeyPut(blob)];
  });
}

export async function sealConfig(physical: CommitPorts['physical']): Promise<SealConfig> {
  const config = await readSealConfig(physical);
  if (config === undefined) throw new TypeError('an open vault has a seal configuration');
  return config;
}
