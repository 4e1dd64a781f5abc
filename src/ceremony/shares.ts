import { combine, split } from 'shamir-secret-sharing';
import { SealedVaultError } from '../lib/errors.ts';
import { Secret } from '../lib/secret.ts';

/**
 * Shamir shares in Vault's format, so that shares made here and shares made by Vault mix.
 *
 * I1  A share is the y bytes followed by one x byte (1..255): 33 bytes for a 32-byte secret. GF(2^8), 0x11B.
 * I2  One share of one is the secret itself, without an x byte.
 * I3  Combining cannot tell a wrong share from a right one: the result must be verified by whoever asked
 *     for it, by opening something with it.
 * I4  The library's plain arrays are wiped before a function returns or throws.
 *
 * The library uses table look-ups: it is not constant-time against an observer of the processor's cache.
 */
export class SharesInvalid extends SealedVaultError {
  override readonly code = 'ERR_SHARES';
}

const MAX_SHARES = 255;

/**
 * Splits a secret so that any `threshold` of the shares give it back.
 *
 * @param secret one byte or more; the caller keeps ownership
 * @param shares 1..255
 * @param threshold 1..shares, and at least 2 when there is more than one share
 * @returns the shares in no particular order; the caller owns and disposes them
 * @throws ERR_SHARES for counts or a secret outside of these bounds
 */
export async function splitSecret(secret: Secret, shares: number, threshold: number): Promise<Secret[]> {
  if (!Number.isInteger(shares) || shares < 1 || shares > MAX_SHARES) {
    throw new SharesInvalid('the number of shares must be between 1 and 255');
  }
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > shares) {
    throw new SharesInvalid('the threshold must be between 1 and the number of shares');
  }
  if (shares > 1 && threshold === 1) {
    throw new SharesInvalid('the threshold must be at least 2 when there is more than one share');
  }
  if (secret.length === 0) throw new SharesInvalid('an empty secret cannot be split');
  if (shares === 1) return [secret.clone()];
  const plain = plainCopy(secret);
  try {
    return (await split(plain, shares, threshold)).map((share) => Secret.own(share));
  } finally {
    plain.fill(0);
  }
}

/**
 * Combines shares; a single one is taken as the secret itself (I2).
 *
 * @param shares the caller keeps ownership
 * @returns what these shares give, right or wrong (I3); the caller owns it
 * @throws ERR_SHARES when there is none or more than 255, lengths differ, x is 0, or two have the same x
 */
export async function combineShares(shares: readonly Secret[]): Promise<Secret> {
  const [first] = shares;
  if (first === undefined) throw new SharesInvalid('there is no share to combine');
  if (first.length === 0) throw new SharesInvalid('a share is empty');
  if (shares.length === 1) return first.clone();
  if (shares.length > MAX_SHARES) throw new SharesInvalid('there are more than 255 shares');
  checkShares(shares, first.length);
  const plain = shares.map(plainCopy);
  try {
    return Secret.own(await combine(plain));
  } finally {
    for (const share of plain) share.fill(0);
  }
}

function checkShares(shares: readonly Secret[], length: number): void {
  if (length < 2) throw new SharesInvalid('a share is shorter than two bytes');
  const seen = new Set<number>();
  for (const share of shares) {
    if (share.length !== length) throw new SharesInvalid('the shares differ in length');
    const x = share.borrow((bytes) => bytes[length - 1] ?? 0);
    // At x = 0 the polynomial is the secret itself: no honest share stands there.
    if (x === 0) throw new SharesInvalid('a share is malformed');
    if (seen.has(x)) throw new SharesInvalid('the same share was given twice');
    seen.add(x);
  }
}

// The library accepts nothing but an array whose constructor is Uint8Array itself.
function plainCopy(secret: Secret): Uint8Array {
  return secret.borrow((bytes) => Uint8Array.from(bytes));
}
