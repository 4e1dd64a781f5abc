import { createCipheriv, createDecipheriv, type KeyObject, createSecretKey } from 'node:crypto';
import { concat, utf8 } from '../../lib/bytes.ts';
import { SealedVaultError } from '../../lib/errors.ts';
import type { Random } from '../../lib/random.ts';
import { Secret } from '../../lib/secret.ts';
import type { Seal, SealContext } from './seal.ts';

/**
 * The Shamir seal: the unseal key, which people hold in shares, wraps the root key by AES-256-GCM. There is no HSM.
 * A blob is 1 byte of version (1), a 12-byte nonce, then the ciphertext with its tag; cluster and purpose are the
 * additional data.
 */
export interface ShamirSeal extends Seal {
  readonly type: 'shamir';
  /** Takes the combined unseal key; the caller keeps ownership. @throws ERR_SEAL_BLOB unless it has 32 bytes */
  setKey(key: Secret): void;
  /** Forgets the unseal key. */
  forget(): void;
}

const VERSION = 1;
const NONCE = 12;
const TAG = 16;

/** A blob that does not open, or an unseal key that is none. */
export class ShamirSealError extends SealedVaultError {
  override readonly code = 'ERR_SEAL_BLOB';
}

/** No unseal key was given yet. */
export class ShamirSealClosed extends SealedVaultError {
  override readonly code = 'ERR_SEAL_CLOSED';
}

export function isShamir(seal: Seal): seal is ShamirSeal {
  return seal.type === 'shamir';
}

export function createShamirSeal(random: Random): ShamirSeal {
  let key: KeyObject | undefined;
  const open = (): KeyObject => {
    if (key === undefined)
      throw new ShamirSealClosed('the unseal key is not there', {
        hint: 'give the unseal key shares to sys/unseal',
      });
    return key;
  };
  return {
    type: 'shamir',
    setKey: (secret) => {
      if (secret.length !== 32) throw new ShamirSealError('an unseal key has 32 bytes');
      key = secret.borrow((bytes) => createSecretKey(bytes));
    },
    forget: () => {
      key = undefined;
    },
    open: () => Promise.resolve(),
    wrap: async (plaintext, context) => {
      const nonce = random.bytes(NONCE);
      const cipher = createCipheriv('aes-256-gcm', open(), nonce);
      cipher.setAAD(boundTo(context));
      const ciphertext = plaintext.borrow((bytes) => concat(cipher.update(bytes), cipher.final()));
      return concat(Uint8Array.of(VERSION), nonce, ciphertext, cipher.getAuthTag());
    },
    unwrap: async (blob, context) => {
      const decipherKey = open();
      if (blob[0] !== VERSION || blob.length < 1 + NONCE + TAG)
        throw new ShamirSealError('a wrapped key was not made by a Shamir seal of this version');
      const decipher = createDecipheriv('aes-256-gcm', decipherKey, blob.subarray(1, 1 + NONCE));
      decipher.setAAD(boundTo(context));
      decipher.setAuthTag(blob.subarray(-TAG));
      try {
        return Secret.own(concat(decipher.update(blob.subarray(1 + NONCE, -TAG)), decipher.final()));
      } catch {
        throw new ShamirSealError('the unseal key does not open the wrapped key');
      }
    },
    wrote: (blob) => Promise.resolve(blob[0] === VERSION),
    random: (length) => Promise.resolve(random.bytes(length)),
    health: () => ({ healthy: true, terminal: false }),
    close: async () => {
      key = undefined;
    },
  };
}

function boundTo({ clusterId, purpose }: SealContext): Uint8Array {
  return utf8(JSON.stringify(['sealedvault shamir seal', VERSION, clusterId, purpose]));
}
