import { BoundedMap } from '../../../../lib/bounded-map.ts';
import type { Clock } from '../../../../lib/clock.ts';
import { KeyedMutex } from '../../../../lib/keyed-mutex.ts';
import type { Random } from '../../../../lib/random.ts';
import type { IdentityStore } from '../../../identity/store.ts';
import type { Storage } from '../../../logical/storage.ts';
import { Documents } from './documents.ts';
import { OidcKeys } from './keys.ts';
import type { Assignment, Client, Code, Provider, Scope } from './provider/model.ts';

const CODES_KEPT = 10_000;

/** What identity tokens of a role are made with. */
export interface Role {
  readonly key: string;
  readonly template: string;
  /** Seconds. */
  readonly ttl: number;
  readonly clientId: string;
}

export interface OidcOptions {
  readonly identity: IdentityStore;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  /** Where clients reach this engine; empty when that is not known. */
  readonly apiAddress: string;
}

/** What the endpoints of identity tokens and of the provider share. */
export interface Oidc extends OidcOptions {
  readonly keys: OidcKeys;
  readonly roles: Documents<Role>;
  readonly clients: Documents<Client>;
  readonly providers: Documents<Provider>;
  readonly scopes: Documents<Scope>;
  readonly assignments: Documents<Assignment>;
  /** Authorization codes that may be exchanged, once. */
  readonly codes: BoundedMap<string, Code>;
  readonly config: Documents<{ readonly issuer: string }>;
  /** Changes of roles, clients and keys that refer to each other come one at a time. */
  exclusive<T>(work: () => Promise<T>): Promise<T>;
}

export function createOidc(options: OidcOptions): Oidc {
  const { storage, clock, random } = options;
  const turns = new KeyedMutex();
  return {
    ...options,
    keys: new OidcKeys(storage, clock, random),
    roles: new Documents(storage, 'oidc/role/'),
    clients: new Documents(storage, 'oidc/client/'),
    providers: new Documents(storage, 'oidc/provider/'),
    scopes: new Documents(storage, 'oidc/scope/'),
    assignments: new Documents(storage, 'oidc/assignment/'),
    codes: new BoundedMap(CODES_KEPT),
    config: new Documents(storage, 'oidc/'),
    exclusive: (work) => turns.run('', work),
  };
}

/** Where identity tokens are from. */
export async function issuerOf({ config, apiAddress }: Oidc): Promise<string> {
  return `${(await config.get('config'))?.issuer || apiAddress}/v1/identity/oidc`;
}
