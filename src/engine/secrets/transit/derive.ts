import { createHmac, createPrivateKey, hkdfSync, type KeyObject } from 'node:crypto';
import { concat, fromHex, view } from '../../../lib/bytes.ts';
import { Refused } from './refused.ts';

const missingContext = new Refused(
  "missing 'context' for key derivation; the key was created using a derived key, which means additional, per-request information must be included in order to perform operations with the key",
);

/** HKDF-SHA256 of a key (RFC 5869) without a salt; the context of the request is its info. The caller wipes the bytes. */
export function deriveBytes(
  secret: KeyObject,
  context: Uint8Array | undefined,
  length: number,
): Uint8Array | Refused {
  if (context === undefined || context.length === 0) return missingContext;
  // node:crypto takes no more than 1024 bytes of info; RFC 5869 has no limit.
  return context.length <= 1024
    ? new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), context, length))
    : expandLong(secret, context, length);
}

const PKCS8_ED25519 = fromHex('302e020100300506032b657004220420') ?? new Uint8Array(0);

/** The Ed25519 key of a context: the derived bytes are its seed (RFC 8410 §7). */
export function deriveEd25519(secret: KeyObject, context: Uint8Array | undefined): KeyObject | Refused {
  const seed = deriveBytes(secret, context, 32);
  if (seed instanceof Refused) return seed;
  const der = concat(PKCS8_ED25519, seed);
  const key = createPrivateKey({ key: view(der), format: 'der', type: 'pkcs8' });
  seed.fill(0);
  der.fill(0);
  return key;
}

function expandLong(secret: KeyObject, info: Uint8Array, length: number): Uint8Array {
  const input = secret.export();
  const pseudorandom = createHmac('sha256', new Uint8Array(32)).update(input).digest();
  input.fill(0);
  const out = new Uint8Array(length);
  let block: Uint8Array = new Uint8Array(0);
  for (let offset = 0, index = 1; offset < length; offset += 32, index += 1) {
    block = createHmac('sha256', pseudorandom)
      .update(block)
      .update(info)
      .update(Uint8Array.of(index))
      .digest();
    out.set(block.subarray(0, length - offset), offset);
  }
  pseudorandom.fill(0);
  block.fill(0);
  return out;
}
