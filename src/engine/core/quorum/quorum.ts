import { equalBytes } from '../../../lib/bytes.ts';
import { errorCode } from '../../../lib/errors.ts';
import type { Random } from '../../../lib/random.ts';
import type { Secret } from '../../../lib/secret.ts';
import type { Physical } from '../../physical/physical.ts';
import type { Seal } from '../../seal/seal.ts';
import { type BreakGlassSeal, isBreakGlass } from '../../seal/break-glass.ts';
import { createShamirSeal, isShamir } from '../../seal/shamir.ts';
import { breakGlassSize } from '../ceremony/break-glass.ts';
import { readRecoveryConfig, readRecoveryKey, readSealConfig, readStoredKey } from '../seal-store.ts';

/** What a quorum's key is checked against. */
export interface QuorumPorts {
  readonly physical: Physical;
  readonly seal: Seal;
  readonly random: Random;
}

/** How many shares there are, and how many make a quorum; zeros when nobody holds any. */
export interface QuorumSize {
  readonly shares: number;
  readonly threshold: number;
}

/** Who can authorize: holders of unseal shares under a Shamir seal, of recovery shares under an HSM. */
export async function quorumSize({ physical, seal }: QuorumPorts): Promise<QuorumSize> {
  if (isBreakGlass(seal)) return breakGlassSize(physical);
  if (!isShamir(seal)) return readRecoveryConfig(physical);
  const config = await readSealConfig(physical);
  return { shares: config?.secretShares ?? 0, threshold: config?.secretThreshold ?? 0 };
}

/**
 * Whether a combined key is the unseal key (it opens the stored key) or the recovery key (it equals the one that
 * the HSM unwraps).
 * @throws ERR_HSM_* when the HSM cannot be asked
 */
export async function isQuorumKey(
  { physical, seal, random }: QuorumPorts,
  key: Secret,
  signal: AbortSignal,
): Promise<boolean> {
  const config = await readSealConfig(physical);
  if (config === undefined) return false;
  const { clusterId } = config;
  if (isShamir(seal)) {
    const blob = await readStoredKey(physical);
    if (blob === undefined || key.length !== 32) return false;
    const candidate = createShamirSeal(random);
    candidate.setKey(key);
    try {
      using _rootKey = await candidate.unwrap(blob, { clusterId, purpose: 'root-key' }, { signal });
      return true;
    } catch (error) {
      if (errorCode(error) === 'ERR_SEAL_BLOB') return false;
      throw error;
    } finally {
      candidate.forget();
    }
  }
  if (isBreakGlass(seal)) return opensRootKey({ physical, seal }, key, clusterId, signal);
  const blob = await readRecoveryKey(physical);
  if (blob === undefined) return false;
  await seal.open({ signal, allowGenerateKey: false });
  using expected = await seal.unwrap(blob, { clusterId, purpose: 'recovery-key' }, { signal });
  return key.borrow((a) => expected.borrow((b) => equalBytes(a, b)));
}

async function opensRootKey(
  { physical, seal }: { readonly physical: Physical; readonly seal: BreakGlassSeal },
  key: Secret,
  clusterId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const blob = await readStoredKey(physical);
  if (blob === undefined || key.length !== 32) return false;
  seal.setKey(key);
  try {
    using _rootKey = await seal.unwrap(blob, { clusterId, purpose: 'root-key' }, { signal });
    return true;
  } catch (error) {
    seal.forget();
    if (errorCode(error) === 'ERR_SEAL_BLOB') return false;
    throw error;
  }
}
