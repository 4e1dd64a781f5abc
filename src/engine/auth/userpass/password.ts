import { scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { equalBytes } from '../../../lib/bytes.ts';
import type { Random } from '../../../lib/random.ts';

const derive = promisify<string, Uint8Array, number, Buffer>(scrypt);
const LENGTH = 32;

/** A password as it is stored: scrypt (RFC 7914) with Node's cost, N = 2^14, r = 8, p = 1. */
export interface PasswordHash {
  readonly salt: string;
  readonly hash: string;
}

export async function hashPassword(password: string, random: Random): Promise<PasswordHash> {
  const salt = random.bytes(16);
  const hash = await derive(password, salt, LENGTH);
  return { salt: Buffer.from(salt).toString('base64'), hash: hash.toString('base64') };
}

/** Takes as long for a user who does not exist. */
export async function isPassword(password: string, stored: PasswordHash | undefined): Promise<boolean> {
  const salt = stored === undefined ? new Uint8Array(16) : Buffer.from(stored.salt, 'base64');
  const hash = await derive(password, salt, LENGTH);
  return stored !== undefined && equalBytes(hash, Buffer.from(stored.hash, 'base64'));
}
