import type { KeyObject } from 'node:crypto';

/**
 * A key that stays in an HSM (Vault Enterprise: managed keys), as the engine of a mount that was granted it sees it. What
 * fails on the HSM is thrown (`ERR_HSM_*`, a constant sentence).
 */
export interface ManagedKey {
  /** Stays when the key is renamed or configured anew. */
  readonly id: string;
  readonly name: string;
  readonly publicKey: KeyObject;
  readonly use: ManagedKeyUse;
  /**
   * Signs a digest of the hash.
   * @returns of ECDSA a DER SEQUENCE of r and s (RFC 3279 §2.2.3)
   */
  sign(digest: Uint8Array, how: ManagedSignature): Promise<Uint8Array>;
  /** Opens what RSA-OAEP encrypted with the public key; the caller wipes it. @throws ERR_SEAL_BLOB for what is no such ciphertext */
  decrypt(ciphertext: Uint8Array, hash: ManagedHash): Promise<Uint8Array>;
}

/** By the configured mechanism: PKCS #1 v1.5 or PSS signatures, OAEP, ECDSA. */
export type ManagedKeyUse = 'pkcs1' | 'pss' | 'oaep' | 'ecdsa';

export type ManagedHash = 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512';

export interface ManagedSignature {
  readonly scheme: 'pkcs1' | 'pss' | 'ecdsa';
  readonly hash: ManagedHash;
  /** Bytes, of PSS; the length of the hash when absent. */
  readonly saltLength?: number;
}

/** A managed key by its name or its id. */
export type ManagedKeyRef = { readonly name: string } | { readonly id: string };

/**
 * Opens a managed key for a mount, each time anew: what a mount may use is decided now.
 * @returns why it may not be used
 */
export type OpenManagedKey = (ref: ManagedKeyRef) => Promise<ManagedKey | { readonly refused: string }>;

/** Where there are none. */
export const noManagedKeys: OpenManagedKey = () =>
  Promise.resolve({ refused: 'managed keys are not available here' });

const HASHES: readonly ManagedHash[] = ['sha1', 'sha224', 'sha256', 'sha384', 'sha512'];

export function isManagedHash(name: string): name is ManagedHash {
  return HASHES.some((hash) => hash === name);
}
