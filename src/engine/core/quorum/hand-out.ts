import { type CustodianKey, encryptToCustodian, inspectCustodianKey } from '../../../ceremony/pgp.ts';
import { proofKeyOf } from '../../../ceremony/share-proof.ts';
import { splitSecret } from '../../../ceremony/shares.ts';
import { toBase64, toHex } from '../../../lib/bytes.ts';
import { Secret } from '../../../lib/secret.ts';

/** How a key is split. */
export interface Split {
  readonly shares: number;
  readonly threshold: number;
  /** One a share, in order; empty when shares go out in plaintext. */
  readonly custodians: readonly CustodianKey[];
}

/** @returns the keys in order, or why one is refused, in the words of Vault's API */
export async function inspectKeys(keys: readonly string[], now: Date): Promise<CustodianKey[] | string> {
  const custodians: CustodianKey[] = [];
  for (const [index, key] of keys.entries()) {
    const inspected = await inspectCustodianKey(key, now);
    if (!inspected.ok) return `error parsing PGP key ${index + 1}: ${inspected.message}`;
    custodians.push(inspected.key);
  }
  return custodians;
}

/** @returns what is wrong with the counts, in the words of Vault's API */
export function checkCounts(shares: number, threshold: number, keys: number): string | undefined {
  if (shares < 0 || threshold < 0) return 'shares and threshold cannot be negative';
  if (shares === 0) return 'shares must be at least one';
  if (threshold === 0) return 'threshold must be at least one';
  if (shares > 255) return 'shares must be less than 256';
  if (threshold > shares) return 'threshold cannot be larger than shares';
  if (shares > 1 && threshold === 1) return 'threshold must be greater than one for multiple shares';
  return keys > 0 && keys !== shares
    ? 'count mismatch between number of provided PGP keys and number of shares'
    : undefined;
}

/** Shares as they leave, and what tells them apart later. */
export interface HandedOut {
  /** Each share, or the PGP message that holds its hex text, in the order of the custodians. */
  readonly messages: readonly Uint8Array[];
  /** Of the shares, in the same order (share-proof.ts). */
  readonly proofKeys: readonly string[];
}

/** Splits a key. */
export async function handOut(key: Secret, { shares, threshold, custodians }: Split): Promise<HandedOut> {
  const messages: Uint8Array[] = [];
  const proofKeys: string[] = [];
  const parts = await splitSecret(key, shares, threshold);
  try {
    for (const [index, share] of parts.entries()) {
      const custodian = custodians[index];
      proofKeys.push(proofKeyOf(share));
      if (custodian === undefined) messages.push(share.borrow((bytes) => Uint8Array.from(bytes)));
      else {
        // Vault's clients expect the hex text of the share inside the message.
        using hex = Secret.fromText(share.borrow(toHex));
        messages.push(await encryptToCustodian(hex, custodian.binaryBase64));
      }
    }
  } finally {
    for (const share of parts) share[Symbol.dispose]();
  }
  return { messages, proofKeys };
}

/** A token as it leaves: the text, or base64 of the PGP message that holds it. */
export async function handOutToken(token: string, to: CustodianKey | undefined): Promise<string> {
  if (token === '' || to === undefined) return token;
  using secret = Secret.fromText(token);
  return toBase64(await encryptToCustodian(secret, to.binaryBase64));
}
