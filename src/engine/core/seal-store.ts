import { text, utf8 } from '../../lib/bytes.ts';
import type { Physical, PhysicalOperation } from '../physical/physical.ts';
import type { SealType } from '../seal/seal.ts';

/** What stands outside the barrier, in Vault's layout: who sealed it, how many shares there are, the wrapped keys. */
export interface SealConfig {
  readonly type: SealType;
  readonly secretShares: number;
  readonly secretThreshold: number;
  /** The vault's UUID: what wrapped keys are bound to. */
  readonly clusterId: string;
}

export interface RecoveryConfig {
  readonly shares: number;
  readonly threshold: number;
}

const SEAL_CONFIG = 'core/seal-config';
const RECOVERY_CONFIG = 'core/recovery-config';
const STORED_KEYS = 'core/hsm/barrier-unseal-keys';
const RECOVERY_KEY = 'core/recovery-key';

export function sealConfigPut(config: SealConfig): PhysicalOperation {
  return put(SEAL_CONFIG, {
    type: config.type,
    secret_shares: config.secretShares,
    secret_threshold: config.secretThreshold,
    pgp_keys: null,
    nonce: '',
    backup: false,
    stored_shares: 1,
    cluster_id: config.clusterId,
  });
}

export function recoveryConfigPut(config: RecoveryConfig): PhysicalOperation {
  return put(RECOVERY_CONFIG, {
    type: 'shamir',
    secret_shares: config.shares,
    secret_threshold: config.threshold,
    pgp_keys: null,
    nonce: '',
    backup: false,
  });
}

export function storedKeyPut(blob: Uint8Array): PhysicalOperation {
  return { type: 'put', key: STORED_KEYS, value: blob };
}

export function recoveryKeyPut(blob: Uint8Array): PhysicalOperation {
  return { type: 'put', key: RECOVERY_KEY, value: blob };
}

/** Takes away what only a vault behind an HSM has. */
export const recoveryRecordsGone: readonly PhysicalOperation[] = [
  { type: 'delete', key: RECOVERY_CONFIG },
  { type: 'delete', key: RECOVERY_KEY },
];

/** @returns undefined before initialization */
export async function readSealConfig(physical: Physical): Promise<SealConfig | undefined> {
  const stored = await readJson(physical, SEAL_CONFIG);
  if (stored === undefined) return undefined;
  return {
    type: stored['type'] === 'shamir' ? 'shamir' : 'pkcs11',
    secretShares: Number(stored['secret_shares']),
    secretThreshold: Number(stored['secret_threshold']),
    clusterId: String(stored['cluster_id']),
  };
}

export async function readRecoveryConfig(physical: Physical): Promise<RecoveryConfig> {
  const stored = await readJson(physical, RECOVERY_CONFIG);
  return {
    shares: Number(stored?.['secret_shares'] ?? 0),
    threshold: Number(stored?.['secret_threshold'] ?? 0),
  };
}

export function readStoredKey(physical: Physical): Promise<Uint8Array | undefined> {
  return physical.get(STORED_KEYS);
}

export function readRecoveryKey(physical: Physical): Promise<Uint8Array | undefined> {
  return physical.get(RECOVERY_KEY);
}

async function readJson(physical: Physical, key: string): Promise<Record<string, unknown> | undefined> {
  const bytes = await physical.get(key);
  return bytes === undefined ? undefined : (JSON.parse(text(bytes)) as Record<string, unknown>);
}

function put(key: string, value: object): PhysicalOperation {
  return { type: 'put', key, value: utf8(JSON.stringify(value)) };
}
