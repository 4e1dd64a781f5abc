import type { Clock } from '../../../lib/clock.ts';
import type { Random } from '../../../lib/random.ts';
import { type Backend, PathTable } from '../../logical/logical.ts';
import type { Storage } from '../../logical/storage.ts';
import { issuerPaths } from './path-issuers.ts';
import { otpPaths } from './path-otp.ts';
import { rolePaths } from './path-roles.ts';
import { type SigningContext, signPaths } from './path-sign.ts';
import { SshStore } from './store.ts';

/**
 * The SSH secrets engine: certificates for keys of users and hosts, and one-time passwords for hosts with a helper.
 *
 * I1  A private key of an authority is in no answer; it signs certificates of the role's settings only.
 * I2  A one-time password is good once, for one user at one address, and not after its lease.
 * I3  What a role does not allow by name is refused: principals, extensions, key types, lifetimes.
 */
export function createSsh(
  storage: Storage,
  clock: Clock,
  random: Random,
  renderIdentity: SigningContext['renderIdentity'],
): Backend {
  const store = new SshStore(storage, random);
  return {
    type: 'ssh',
    paths: new PathTable([
      ...issuerPaths(store, random),
      ...rolePaths(store),
      ...signPaths({ store, clock, random, renderIdentity }),
      ...otpPaths(store),
    ]),
    revokeSecret: async ({ internal }) => {
      if (typeof internal['otp'] === 'string') await store.takeOtp(internal['otp']);
    },
  };
}
