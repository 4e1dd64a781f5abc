import type { JsonObject } from '../../../lib/json.ts';

/** What this engine asks of a database; names and shapes are those of Vault's database plugins. */
export interface DatabasePlugin {
  /** @throws when nobody answers, or refuses the credentials */
  verify(): Promise<void>;
  newUser(user: NewUser): Promise<void>;
  changePassword(change: {
    readonly username: string;
    readonly password: string;
    readonly statements: readonly string[];
  }): Promise<void>;
  changeExpiration(change: {
    readonly username: string;
    readonly expiration: Date;
    readonly statements: readonly string[];
  }): Promise<void>;
  /** Also of a user that is gone already. */
  deleteUser(user: { readonly username: string; readonly statements: readonly string[] }): Promise<void>;
  close(): Promise<void>;
}

export interface NewUser {
  readonly username: string;
  readonly password: string;
  readonly expiration: Date;
  readonly statements: readonly string[];
  /** Run when a statement failed. */
  readonly rollback: readonly string[];
}

/** A kind of database. */
export interface PluginType {
  /** Of user names, where the configuration has none. */
  readonly usernameTemplate: string;
  /** @returns a plugin that has not connected yet, or what is wrong with the details */
  open(details: JsonObject): Promise<DatabasePlugin | { readonly refused: string }>;
}

/** Numbers of connections that the details ask for. */
export interface PoolSettings {
  readonly max: number;
  readonly maxIdle: number;
  /** Seconds; 0 is for ever. */
  readonly maxLifetime: number;
}
