import { createCipheriv, createDecipheriv, type KeyObject, randomFillSync } from 'node:crypto';
import { SealedVaultError } from '../../lib/errors.ts';

/**
 * The layout of everything at rest, as Vault's barrier writes it:
 *
 * | bytes | content |
 * |---|---|
 * | 0–3 | term of the data key, big-endian |
 * | 4 | version: 2, the storage path is additional authenticated data (1: it is not; read only) |
 * | 5–16 | nonce, 12 random bytes (NIST SP 800-38D §8.2.2) |
 * | 17… | AES-256-GCM ciphertext, then its 16-byte tag |
 */
const HEADER = 17;
const TAG = 16;
const NONCE_OFFSET = 5;
const VERSION_WITHOUT_PATH = 1;
const VERSION = 2;

/** A record that does not open: changed, moved to another path, of an unknown layout, or of another key. One error, one message. */
export class BarrierCorrupt extends SealedVaultError {
  override readonly code = 'ERR_BARRIER_CORRUPT';
  constructor(options?: { cause?: unknown }) {
    super('a stored record did not authenticate', options);
  }
}

// Nonces are drawn from the system generator 4 KiB at a time: a call for each 12 bytes costs more than the encryption.
const pool = new Uint8Array(4096);
let used = pool.length;

function fillNonce(target: Uint8Array): void {
  if (used + 12 > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  target.set(pool.subarray(used, used + 12));
  used += 12;
}

/** Encrypts under a key of a term, bound to the path it will be stored at. nonce is for vectors only. */
export function sealRecord(
  key: KeyObject,
  term: number,
  path: string,
  plaintext: Uint8Array,
  nonce?: Uint8Array,
): Uint8Array {
  const record = Buffer.allocUnsafeSlow(HEADER + plaintext.length + TAG);
  record.writeUInt32BE(term, 0);
  record[4] = VERSION;
  const iv = record.subarray(NONCE_OFFSET, HEADER);
  if (nonce === undefined) fillNonce(iv);
  else iv.set(nonce);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  cipher.setAAD(Buffer.from(path));
  record.set(cipher.update(plaintext), HEADER);
  cipher.final();
  record.set(cipher.getAuthTag(), HEADER + plaintext.length);
  return record;
}

/** @returns the term that a record names. @throws ERR_BARRIER_CORRUPT when it is too short to be one */
export function recordTerm(record: Uint8Array): number {
  if (record.length < HEADER + TAG) throw new BarrierCorrupt();
  return new DataView(record.buffer, record.byteOffset, 4).getUint32(0);
}

/** Decrypts a record read from a path. @throws ERR_BARRIER_CORRUPT */
export function openRecord(key: KeyObject, path: string, record: Uint8Array): Uint8Array {
  if (record.length < HEADER + TAG) throw new BarrierCorrupt();
  const version = record[4];
  if (version !== VERSION && version !== VERSION_WITHOUT_PATH) throw new BarrierCorrupt();
  const end = record.length - TAG;
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, record.subarray(NONCE_OFFSET, HEADER));
    if (version === VERSION) decipher.setAAD(Buffer.from(path));
    decipher.setAuthTag(record.subarray(end));
    const plaintext = decipher.update(record.subarray(HEADER, end));
    decipher.final();
    return plaintext;
  } catch (cause) {
    throw new BarrierCorrupt({ cause });
  }
}
