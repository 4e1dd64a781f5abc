import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject, sign, verify } from 'node:crypto';
import { concat, fromBase64, fromHex, toBase64, utf8, view } from '../lib/bytes.ts';
import type { Secret } from '../lib/secret.ts';

/**
 * Proof that somebody has a share, without showing it: a share is the seed of a signing key.
 *
 * I1  The key pair is Ed25519 (RFC 8032), its seed HKDF-SHA256 (RFC 5869) of the share: no salt, the info below, 32 bytes.
 *     A share is at least 16 random bytes, so the public key tells nothing that could be used, and names one share.
 * I2  A proof signs a text that names the ceremony and its digest: it is worth nothing anywhere else.
 * I3  The seed and its copies are wiped; what Node's key object keeps is not in our hands.
 */
const INFO = 'sealedvault share proof v1';

// An Ed25519 key in PKCS #8 and SPKI is the bare key behind a fixed header (RFC 8410 §7, §4).
const PKCS8 = fromHex('302e020100300506032b657004220420') ?? new Uint8Array();
const SPKI = fromHex('302a300506032b6570032100') ?? new Uint8Array();

/** @returns the public key of a share, base64 of 32 bytes: what a proof is checked with */
export function proofKeyOf(share: Secret): string {
  const spki = createPublicKey(signingKey(share)).export({ type: 'spki', format: 'der' });
  return toBase64(spki.subarray(SPKI.length));
}

/** @returns the proof of having a share, over a text: base64 of an Ed25519 signature */
export function proveShare(share: Secret, text: string): string {
  return toBase64(sign(null, utf8(text), signingKey(share)));
}

/**
 * @param proofKey base64 of 32 bytes
 * @param proof base64 of 64 bytes
 * @returns whether the proof over the text was made with the share of this key; false for what cannot be read
 */
export function isShareProof(proofKey: string, text: string, proof: string): boolean {
  const key = fromBase64(proofKey);
  const signature = fromBase64(proof);
  if (key?.length !== 32 || signature?.length !== 64) return false;
  const spki = createPublicKey({ key: view(concat(SPKI, key)), format: 'der', type: 'spki' });
  return verify(null, utf8(text), spki, signature);
}

function signingKey(share: Secret): KeyObject {
  const seed = share.borrow((bytes) => new Uint8Array(hkdfSync('sha256', bytes, '', INFO, 32)));
  const pkcs8 = concat(PKCS8, seed);
  try {
    return createPrivateKey({ key: view(pkcs8), format: 'der', type: 'pkcs8' });
  } finally {
    seed.fill(0);
    pkcs8.fill(0);
  }
}
