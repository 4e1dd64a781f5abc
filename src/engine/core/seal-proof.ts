import { equalBytes } from '../../lib/bytes.ts';
import { describeError, SealedVaultError } from '../../lib/errors.ts';
import type { Random } from '../../lib/random.ts';
import { Secret } from '../../lib/secret.ts';
import { Barrier } from '../barrier/barrier.ts';
import type { Physical } from '../physical/physical.ts';
import { isHsmSeal, type Seal, type SealContext } from '../seal/seal.ts';
import type { ProvenSeal } from '../sys/port.ts';
import { readSealConfig, readStoredKey, type SealConfig } from './seal-store.ts';

/** Seals prove themselves before a migration touches anything: by what they open, and by a real wrap and unwrap. */
export interface ProofPorts {
  readonly physical: Physical;
  readonly random: Random;
  readonly signal: AbortSignal;
}

/** The storage and the configuration name seals that do not belong together. */
export class SealMismatch extends SealedVaultError {
  override readonly code = 'ERR_SEAL_MISMATCH';
}

/** @throws ERR_SEAL_MISMATCH for a storage without one */
export async function configOf(physical: Physical): Promise<SealConfig> {
  const config = await readSealConfig(physical);
  if (config === undefined) throw new SealMismatch('the storage holds no seal configuration');
  return config;
}

export function rootKeyOf({ clusterId }: SealConfig): SealContext {
  return { clusterId, purpose: 'root-key' };
}

/**
 * The root key, which opens the keyring: what proves the seal that a vault is under.
 * @throws ERR_HSM_*, ERR_SEAL_BLOB, ERR_SEAL_MISMATCH, ERR_BARRIER_CORRUPT
 */
export async function openRootKey({ physical, signal }: ProofPorts, seal: Seal): Promise<Secret> {
  await seal.open({ signal, allowGenerateKey: false });
  const blob = await readStoredKey(physical);
  if (blob === undefined) throw new SealMismatch('the storage holds no wrapped root key');
  const rootKey = await seal.unwrap(blob, rootKeyOf(await configOf(physical)), { signal });
  try {
    (await Barrier.unseal(physical, rootKey)).seal();
    return rootKey;
  } catch (error) {
    rootKey[Symbol.dispose]();
    throw error;
  }
}

/**
 * A real wrap and unwrap, for this vault.
 * @param allowGenerateKey whether a key that is missing may be made
 * @throws ERR_HSM_*, ERR_SEAL_BLOB, ERR_SEAL_MISMATCH
 */
export async function proveWrapping(
  { physical, random, signal }: ProofPorts,
  seal: Seal,
  allowGenerateKey: boolean,
): Promise<void> {
  await seal.open({ signal, allowGenerateKey });
  const context = { clusterId: (await configOf(physical)).clusterId, purpose: 'self-test' } as const;
  using probe = Secret.own(random.bytes(32));
  using back = await seal.unwrap(await seal.wrap(probe, context, { signal }), context, { signal });
  if (!probe.borrow((a) => back.borrow((b) => equalBytes(a, b))))
    throw new SealMismatch('the new seal did not give back what it wrapped');
}

/** How a proof went, for people. */
export async function proven(seal: Seal, prove: () => Promise<void>): Promise<ProvenSeal> {
  const { type } = seal;
  try {
    await prove();
    const key = isHsmSeal(seal) ? seal.key() : undefined;
    return { type, proven: true, ...(key === undefined ? {} : { key: nameOf(key) }) };
  } catch (error) {
    return { type, proven: false, problem: describeError(error) };
  }
}

function nameOf({
  keyLabel: label,
  keyId: id,
  mechanism,
}: Record<'keyLabel' | 'keyId' | 'mechanism', string>): {
  readonly label: string;
  readonly id: string;
  readonly mechanism: string;
} {
  return { label, id, mechanism };
}
