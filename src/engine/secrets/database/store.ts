import type { JsonObject } from '../../../lib/json.ts';
import { createExpiryIndex, type ExpiryIndex } from '../../logical/expiry-index.ts';
import { getJson, jsonPut, type Storage, type StorageOperation } from '../../logical/storage.ts';

/** A connection as it is configured; the details are the plug-in's own fields, with the password. */
export interface DatabaseConfig {
  readonly pluginName: string;
  readonly pluginVersion: string;
  readonly details: JsonObject;
  readonly allowedRoles: readonly string[];
  readonly rootRotationStatements: readonly string[];
  readonly passwordPolicy: string;
}

/** How credentials of a role are made; times in seconds, 0 is the mount's. */
export interface Role {
  readonly dbName: string;
  readonly creation: readonly string[];
  readonly revocation: readonly string[];
  readonly rollback: readonly string[];
  readonly renew: readonly string[];
  readonly defaultTtl: number;
  readonly maxTtl: number;
  readonly credentialType: string;
  readonly credentialConfig: Readonly<Record<string, string>>;
}

/** A user of the database whose password is ours; times are seconds since the epoch. */
export interface StaticRole {
  readonly dbName: string;
  readonly username: string;
  readonly password: string;
  /** Seconds; 0 where a schedule says when. */
  readonly rotationPeriod: number;
  /** Five fields of cron; empty where a period says when. */
  readonly rotationSchedule: string;
  /** Seconds after a scheduled time in which a rotation may still begin; 0 is without limit. */
  readonly rotationWindow: number;
  readonly statements: readonly string[];
  readonly credentialType: string;
  readonly credentialConfig: Readonly<Record<string, string>>;
  readonly lastRotation: number;
  /** When the next rotation, or the next try of one, is. */
  readonly dueTime: number;
}

/** Written before the password of a static role changes in the database; gone with the write of the role. */
export interface StaticIntent {
  readonly username: string;
  readonly password: string;
}

/** Written before the password of a connection's own user changes. */
export interface RootIntent {
  readonly password: string;
}

/** The records of a mount. */
export class DatabaseStore {
  readonly #storage: Storage;
  readonly #expiry: ExpiryIndex;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#expiry = createExpiryIndex(storage);
  }

  config(name: string): Promise<DatabaseConfig | undefined> {
    return getJson<DatabaseConfig>(this.#storage, `config/${name}`);
  }

  role(name: string): Promise<Role | undefined> {
    return getJson<Role>(this.#storage, `role/${name}`);
  }

  staticRole(name: string): Promise<StaticRole | undefined> {
    return getJson<StaticRole>(this.#storage, `static-role/${name}`);
  }

  staticIntent(name: string): Promise<StaticIntent | undefined> {
    return getJson<StaticIntent>(this.#storage, `wal/static/${name}`);
  }

  rootIntent(name: string): Promise<RootIntent | undefined> {
    return getJson<RootIntent>(this.#storage, `wal/root/${name}`);
  }

  names(kind: 'config' | 'role' | 'static-role'): Promise<string[]> {
    return this.#storage.list(`${kind}/`);
  }

  /** Stores a connection; an intent about its password is settled by that. */
  putConfig(name: string, config: DatabaseConfig): Promise<void> {
    return this.#storage.write([
      jsonPut(`config/${name}`, config),
      { type: 'delete', key: `wal/root/${name}` },
    ]);
  }

  deleteConfig(name: string): Promise<void> {
    return this.#storage.write([
      { type: 'delete', key: `config/${name}` },
      { type: 'delete', key: `wal/root/${name}` },
    ]);
  }

  putRootIntent(name: string, intent: RootIntent): Promise<void> {
    return this.#storage.write([jsonPut(`wal/root/${name}`, intent)]);
  }

  deleteRootIntent(name: string): Promise<void> {
    return this.#storage.delete(`wal/root/${name}`);
  }

  putRole(name: string, role: Role): Promise<void> {
    return this.#storage.write([jsonPut(`role/${name}`, role)]);
  }

  deleteRole(name: string): Promise<void> {
    return this.#storage.delete(`role/${name}`);
  }

  /** @param intent what to do with the intent about its password */
  putStaticRole(
    name: string,
    before: StaticRole | undefined,
    role: StaticRole,
    intent: 'keep' | 'done' | StaticIntent,
  ): Promise<void> {
    const operations: StorageOperation[] = [
      jsonPut(`static-role/${name}`, role),
      ...this.#expiry.set(name, before?.dueTime ?? 0, role.dueTime),
    ];
    if (intent === 'done') operations.push({ type: 'delete', key: `wal/static/${name}` });
    else if (intent !== 'keep') operations.push(jsonPut(`wal/static/${name}`, intent));
    return this.#storage.write(operations);
  }

  /** Before there is a role. */
  putStaticIntent(name: string, intent: StaticIntent): Promise<void> {
    return this.#storage.write([jsonPut(`wal/static/${name}`, intent)]);
  }

  deleteStaticRole(name: string, role: StaticRole | undefined): Promise<void> {
    return this.#storage.write([
      { type: 'delete', key: `static-role/${name}` },
      { type: 'delete', key: `wal/static/${name}` },
      ...this.#expiry.set(name, role?.dueTime ?? 0, 0),
    ]);
  }

  /** Static roles whose time has come. */
  async due(now: number): Promise<string[]> {
    return (await this.#expiry.due(now)).map(({ id }) => id);
  }
}
