import type { Clock } from '../../lib/clock.ts';
import type { KeyRandom } from '../../lib/key-random.ts';
import type { Random } from '../../lib/random.ts';
import type { IdentityStore } from '../identity/store.ts';
import type { Backend } from '../logical/logical.ts';
import type { OpenManagedKey } from '../logical/managed-key.ts';
import type { StorageFormat } from '../logical/storage-format.ts';
import type { Storage } from '../logical/storage.ts';
import type { MountEntry } from '../mount/mount.ts';
import type { TokenStore } from '../token/token.ts';
import type { PolicyStore } from './policies.ts';

/** What a plug-in is made with. */
export interface BackendContext {
  /** Of the mount. */
  readonly accessor: string;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  /** What keys are made of: with the seal's entropy where the mount may use it. */
  readonly keyRandom: KeyRandom;
  /** How the mount's data is stored; empty for types that know one way. */
  readonly format: string;
  readonly tokens: TokenStore;
  readonly policies: PolicyStore;
  readonly identity: IdentityStore;
  readonly backendByAccessor: (accessor: string) => Backend | undefined;
  /** The mount of an accessor, while there is one. */
  readonly mountByAccessor: (accessor: string) => MountEntry | undefined;
  /** Whether an auth method of a type is enabled. */
  readonly hasAuthType: (type: string) => boolean;
  /** Where clients reach this engine; empty when that is not known. */
  readonly apiAddress: string;
  readonly passwordFrom: PasswordSource;
  /** Keys in HSMs that the mount may use. */
  readonly openManagedKey: OpenManagedKey;
}

/** @returns a password of a password policy, or why there is none */
export type PasswordSource = (policy: string) => Promise<string | { readonly refused: string }>;

/** Loads what it needs with the first mount of its kind. */
export type BackendFactory = (context: BackendContext) => Backend | Promise<Backend>;

/** Factories by the names that clients mount them under. */
export interface BackendFactories {
  readonly secrets: Readonly<Record<string, BackendFactory>>;
  readonly auth: Readonly<Record<string, BackendFactory>>;
  /** Names of the database plugins that are built in. */
  readonly databases: readonly string[];
  /** Removes a token's cubbyhole from the storage of the cubbyhole mount. */
  readonly clearCubbyhole: (storage: Storage, tokenHash: string) => Promise<void>;
  /** What of a mount's storage is critical, by its type. */
  readonly sealWrapped: Readonly<Record<string, (format: string) => readonly string[]>>;
  /** Types whose data can be stored in several ways. */
  readonly formats: Readonly<Record<string, StorageFormat>>;
}
