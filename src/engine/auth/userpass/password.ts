import { scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { equalBytes, fromBase64, toBase64 } from '../../../lib/bytes.ts';
import type { Random } from '../../../lib/random.ts';

const derive = promisify<string, Uint8Array, number, Buffer>(scrypt);
const LENGTH = 32;
/** A login must not keep a core busy for longer than about a second. */
const MAX_BCRYPT_COST = 14;
/** As crypt(3) writes it: version, cost, 22 characters of salt and 31 of the digest. */
const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;

/** A password as it is stored: scrypt (RFC 7914) with Node's cost, N = 2^14, r = 8, p = 1; or a given bcrypt hash. */
export type PasswordHash = { readonly salt: string; readonly hash: string } | { readonly bcrypt: string };

export async function hashPassword(password: string, random: Random): Promise<PasswordHash> {
  const salt = random.bytes(16);
  const hash = await derive(password, salt, LENGTH);
  return { salt: toBase64(salt), hash: toBase64(hash) };
}

/** A hash that was made elsewhere, or why it is refused. */
export function givenHash(text: string): PasswordHash | string {
  const cost = Number(BCRYPT.exec(text)?.[1]);
  if (!(cost >= 4 && cost <= 31)) return 'password_hash must be a bcrypt hash';
  return cost > MAX_BCRYPT_COST
    ? `the cost of password_hash is higher than ${MAX_BCRYPT_COST}`
    : { bcrypt: text };
}

/** Takes as long for a user who does not exist. */
export async function isPassword(password: string, stored: PasswordHash | undefined): Promise<boolean> {
  if (stored !== undefined && 'bcrypt' in stored) {
    const { compare } = await import('bcryptjs');
    return compare(password, stored.bcrypt);
  }
  const salt = (stored === undefined ? undefined : fromBase64(stored.salt)) ?? new Uint8Array(16);
  const hash = await derive(password, salt, LENGTH);
  return stored !== undefined && equalBytes(hash, fromBase64(stored.hash) ?? new Uint8Array());
}
