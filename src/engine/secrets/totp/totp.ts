import type { Clock } from '../../../lib/clock.ts';
import type { Random } from '../../../lib/random.ts';
import { type Backend, PathTable } from '../../logical/logical.ts';
import type { Storage } from '../../logical/storage.ts';
import { codePaths } from './path-code.ts';
import { keyPaths } from './path-keys.ts';
import { TotpStore } from './store.ts';

/**
 * TOTP (RFC 6238): a generator of codes for keys of other parties, and a provider that makes keys and validates codes.
 *
 * I1  The secret of a key leaves once, in the answer that made it, and only when it was generated here and `exported`.
 * I2  A code that was found good is refused from then on, for longer than it could be good.
 * I3  Codes are compared in constant time, all steps of the skew every time.
 */
export function createTotp(storage: Storage, clock: Clock, random: Random): Backend {
  const store = new TotpStore(storage);
  return {
    type: 'totp',
    paths: new PathTable([...keyPaths(store, random), ...codePaths(store, clock)]),
  };
}
