import type { Clock } from '../../../lib/clock.ts';
import { matchesGlob } from '../../../lib/glob.ts';
import type { Random } from '../../../lib/random.ts';
import type { Connections } from './connections.ts';
import type { PasswordSource } from './passwords.ts';
import type { DatabaseStore } from './store.ts';

/** What the endpoints of this engine share. */
export interface DatabaseContext {
  readonly store: DatabaseStore;
  readonly connections: Connections;
  readonly clock: Clock;
  readonly random: Random;
  readonly passwordFrom: PasswordSource;
}

/** @returns whether a configuration lets a role make credentials; names may be globs. */
export function allowsRole(allowed: readonly string[], role: string): boolean {
  return allowed.some((glob) => matchesGlob(glob, role));
}

export const nameField = {
  type: 'string',
  description: 'Name of the connection or role.',
  required: true,
} as const;
