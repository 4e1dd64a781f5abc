import type { Clock } from '../../lib/clock.ts';
import type { KeyRandom } from '../../lib/key-random.ts';
import type { Random } from '../../lib/random.ts';
import type { IdentityStore } from '../identity/store.ts';
import type { Storage } from '../logical/storage.ts';
import type { TokenStore } from '../token/token.ts';
import type { BackendFactories, PasswordSource } from './backend-factory.ts';
import type { ManagedKeys } from './managed-keys/managed-keys.ts';
import type { PolicyStore } from './policies.ts';
import type { SealWrap } from './seal-wrap.ts';

/** What the mount table, and the backends that it makes, are made with. */
export interface MountTableOptions {
  readonly storage: Storage;
  readonly factories: BackendFactories;
  readonly clock: Clock;
  readonly random: Random;
  readonly keyRandom: KeyRandom;
  readonly sealWrap: SealWrap;
  readonly managedKeys: ManagedKeys;
  readonly tokens: TokenStore;
  readonly policies: PolicyStore;
  readonly identity: IdentityStore;
  readonly passwordFrom: PasswordSource;
  /** Takes back what a mount gave: leases of its secrets, tokens of its logins. @returns why it failed */
  readonly revokeAll: (prefix: string) => Promise<string | undefined>;
  readonly apiAddress?: string;
  readonly defaultLeaseTtl: number;
  readonly maxLeaseTtl: number;
}
