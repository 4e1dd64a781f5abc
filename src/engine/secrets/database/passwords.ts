import type { Random } from '../../../lib/random.ts';
import { DatabaseFailed } from './errors.ts';

/** @returns a password of a password policy, or why there is none */
export type PasswordSource = (policy: string) => Promise<string | { readonly refused: string }>;

const LENGTH = 20;

/**
 * Passwords for database users: by a password policy, or else 20 characters with at least one of a-z, A-Z, 0-9 and -.
 * @throws ERR_DATABASE when the policy gives none
 */
export async function makePassword(
  policy: string,
  source: PasswordSource,
  random: Pick<Random, 'base62'>,
): Promise<string> {
  if (policy !== '') {
    const made = await source(policy);
    if (typeof made === 'string') return made;
    throw new DatabaseFailed(`failed to generate password: ${made.refused}`);
  }
  for (;;) {
    const text = random.base62(LENGTH);
    // Its place says nothing: the rest is as random as before.
    const password = `${text.slice(0, 3)}-${text.slice(4)}`;
    if (/[a-z]/.test(password) && /[A-Z]/.test(password) && /\d/.test(password)) return password;
  }
}
