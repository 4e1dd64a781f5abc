import type { ConnectionOptions } from 'node:tls';
import type { Pool, PoolClient } from 'pg';
import type { JsonObject } from '../../../../lib/json.ts';
import type { Random } from '../../../../lib/random.ts';
import { readSmallFile } from '../../../../lib/small-file.ts';
import { detail, poolSettings } from '../details.ts';
import type { DatabasePlugin, PluginType } from '../plugin.ts';
import { commands } from '../statements.ts';
import { parsePostgresUrl, type PostgresTarget } from './postgresql-url.ts';
import { scramSecret } from './scram.ts';

const CHANGE_PASSWORD = `ALTER ROLE "{{username}}" WITH PASSWORD '{{password}}'`;
const CHANGE_EXPIRATION = `ALTER ROLE "{{name}}" VALID UNTIL '{{expiration}}'`;
const MAX_TRIES = 10;

/** `postgresql-database-plugin`. */
export function postgresql(random: Pick<Random, 'bytes'>): PluginType {
  return {
    usernameTemplate:
      '{{ printf "v-%s-%s-%s-%s" (.DisplayName | truncate 8) (.RoleName | truncate 8) (random 20) (unix_time) | truncate 63 }}',
    open: async (details) => {
      const url = detail(details, 'connection_url');
      if (url === '') return { refused: 'connection_url cannot be empty' };
      const authentication = detail(details, 'password_authentication') || 'password';
      if (!['password', 'scram-sha-256'].includes(authentication))
        return { refused: `'${authentication}' is not a valid password authentication type` };
      const settings = poolSettings(details);
      if ('refused' in settings) return settings;
      const values = { username: detail(details, 'username'), password: detail(details, 'password') };
      const target = parsePostgresUrl(url, values);
      if (target === undefined) return { refused: 'connection_url is neither a URL nor a list of settings' };
      const { Pool: PgPool } = (await import('pg')).default;
      const makePool = (ssl: ConnectionOptions | false): Pool => {
        const pool = new PgPool({
          ...target,
          ssl,
          max: settings.max,
          maxLifetimeSeconds: settings.maxLifetime,
          idleTimeoutMillis: 60_000,
          connectionTimeoutMillis: 10_000,
          query_timeout: 30_000,
          application_name: 'sealedvault',
        });
        // A connection that breaks while idle is replaced by the next query.
        pool.on('error', () => undefined);
        return pool;
      };
      const pool = makePool(await tls(target, details));
      const hash = (password: string): string =>
        authentication === 'password' ? password : scramSecret(password, random.bytes(16));
      return new Postgresql(pool, target.sslMode === 'prefer' ? () => makePool(false) : undefined, hash);
    },
  };
}

class Postgresql implements DatabasePlugin {
  #pool: Pool;
  #plain: (() => Pool) | undefined;
  readonly #hash: (password: string) => string;

  constructor(pool: Pool, plain: (() => Pool) | undefined, hash: (password: string) => string) {
    this.#pool = pool;
    this.#plain = plain;
    this.#hash = hash;
  }

  async verify(): Promise<void> {
    const client = await this.#connect();
    try {
      await client.query('SELECT 1');
    } finally {
      client.release();
    }
  }

  async newUser(user: Parameters<DatabasePlugin['newUser']>[0]): Promise<void> {
    const values = {
      name: user.username,
      username: user.username,
      password: this.#hash(user.password),
      expiration: timestamp(user.expiration),
    };
    try {
      await this.#transaction(commands(user.statements, values));
    } catch (error) {
      if (user.rollback.length > 0)
        await this.#transaction(commands(user.rollback, values)).catch(() => undefined);
      throw error;
    }
  }

  changePassword({
    username,
    password,
    statements,
  }: Parameters<DatabasePlugin['changePassword']>[0]): Promise<void> {
    const values = { name: username, username, password: this.#hash(password) };
    return this.#transaction(commands(statements.length > 0 ? statements : [CHANGE_PASSWORD], values));
  }

  changeExpiration({
    username,
    expiration,
    statements,
  }: Parameters<DatabasePlugin['changeExpiration']>[0]): Promise<void> {
    const values = { name: username, username, expiration: timestamp(expiration) };
    return this.#transaction(commands(statements.length > 0 ? statements : [CHANGE_EXPIRATION], values));
  }

  async deleteUser({ username, statements }: Parameters<DatabasePlugin['deleteUser']>[0]): Promise<void> {
    if (statements.length > 0) {
      await this.#transaction(commands(statements, { name: username, username }));
      return;
    }
    await this.#with((client) => dropRole(client, username));
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  #transaction(list: readonly string[]): Promise<void> {
    return persistently(() => this.#with((client) => inTransaction(client, list)));
  }

  // A client on which anything failed is not used again: what state it is in is not known.
  async #with(work: (client: PoolClient) => Promise<void>): Promise<void> {
    const client = await this.#connect();
    let failed = true;
    try {
      await work(client);
      failed = false;
    } finally {
      client.release(failed);
    }
  }

  // sslmode=prefer: without TLS where the server has none.
  async #connect(): Promise<PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      const plain = this.#plain;
      if (plain === undefined || !(error instanceof Error) || !/does not support SSL/.test(error.message))
        throw error;
      this.#plain = undefined;
      const before = this.#pool;
      this.#pool = plain();
      await before.end();
      return this.#pool.connect();
    }
  }
}

// Grants on the same table, made at the same time, fail one another; again, they do not.
async function persistently(work: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await work();
      return;
    } catch (error) {
      if (tries === MAX_TRIES || !isConflict(error)) throw error;
    }
  }
}

async function inTransaction(client: PoolClient, list: readonly string[]): Promise<void> {
  await client.query('BEGIN');
  try {
    for (const command of list) await client.query(command);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

// Serialization failure, deadlock, and the catalogue's own conflict, which has no code (PostgreSQL, appendix A).
function isConflict(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  return code === '40001' || code === '40P01' || error.message.includes('tuple concurrently updated');
}

async function tls(target: PostgresTarget, details: JsonObject): Promise<ConnectionOptions | false> {
  if (target.sslMode === 'disable' || target.host.startsWith('/')) return false;
  const authorities =
    detail(details, 'tls_ca') || (target.sslRootCert === '' ? '' : await readSmallFile(target.sslRootCert));
  const certificate = detail(details, 'tls_certificate');
  const base: ConnectionOptions = {
    ...(authorities === '' ? {} : { ca: authorities }),
    ...(certificate === '' ? {} : { cert: certificate, key: detail(details, 'private_key') }),
  };
  if (target.sslMode === 'verify-full') return base;
  // libpq §34.19.1: the chain is checked from verify-ca on, or when there is an authority to check it against.
  const checksChain = target.sslMode === 'verify-ca' || (target.sslMode === 'require' && authorities !== '');
  return { ...base, rejectUnauthorized: checksChain, checkServerIdentity: () => undefined };
}

// As Vault's plugin does it: what a role may have been granted is revoked, since a role with grants cannot go.
async function dropRole(client: PoolClient, username: string): Promise<void> {
  const { rows: found } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [username]);
  if (found.length === 0) return;
  const role = quoted(username);
  const { rows: schemas } = await client.query<{ table_schema: string }>(
    'SELECT DISTINCT table_schema FROM information_schema.role_column_grants WHERE grantee = $1',
    [username],
  );
  const { rows: databases } = await client.query<{ name: string }>('SELECT current_database() AS name');
  const revocations = new Set<string>();
  for (const { table_schema: schema } of [...schemas, { table_schema: 'public' }]) {
    revocations.add(`REVOKE ALL PRIVILEGES ON ALL TABLES IN SCHEMA ${quoted(schema)} FROM ${role}`);
    revocations.add(`REVOKE ALL PRIVILEGES ON ALL SEQUENCES IN SCHEMA ${quoted(schema)} FROM ${role}`);
    revocations.add(`REVOKE USAGE ON SCHEMA ${quoted(schema)} FROM ${role}`);
  }
  for (const { name } of databases)
    revocations.add(`REVOKE CONNECT ON DATABASE ${quoted(name)} FROM ${role}`);
  for (const revocation of revocations)
    await persistently(() => client.query(revocation)).catch(() => undefined);
  await client.query(`DROP ROLE IF EXISTS ${role}`);
}

function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

// 2006-01-02 15:04:05+0000
function timestamp(time: Date): string {
  return time
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, '+0000');
}
