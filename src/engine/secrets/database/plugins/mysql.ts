import type { Pool, PoolConnection, PoolOptions, SslOptions } from 'mysql2/promise';
import type { JsonObject } from '../../../../lib/json.ts';
import { detail, flag, poolSettings } from '../details.ts';
import type { DatabasePlugin, PluginType } from '../plugin.ts';
import { commands } from '../statements.ts';
import { type MysqlTarget, parseMysqlDsn } from './mysql-dsn.ts';

const CHANGE_PASSWORD = `ALTER USER '{{username}}'@'%' IDENTIFIED BY '{{password}}'`;
const DELETE_USER = [
  `REVOKE ALL PRIVILEGES, GRANT OPTION FROM '{{name}}'@'%'`,
  `DROP USER '{{name}}'@'%'`,
] as const;

/** `mysql-database-plugin` and its kin, which differ in the length of names. */
export function mysql(usernameTemplate: string): PluginType {
  return {
    usernameTemplate,
    open: async (details) => {
      const url = detail(details, 'connection_url');
      if (url === '') return { refused: 'connection_url cannot be empty' };
      const settings = poolSettings(details);
      if ('refused' in settings) return settings;
      const values = { username: detail(details, 'username'), password: detail(details, 'password') };
      const target = parseMysqlDsn(url, values);
      if (target === undefined) return { refused: 'connection_url is no data source name' };
      const { createPool } = await import('mysql2/promise');
      const { user, password, database } = target;
      const ssl = tls(target, details);
      const options: PoolOptions = {
        ...(target.socket === '' ? { host: target.host, port: target.port } : { socketPath: target.socket }),
        user,
        password,
        ...(database === '' ? {} : { database }),
        ...(ssl === undefined ? {} : { ssl }),
        connectionLimit: settings.max,
        maxIdle: settings.maxIdle,
        idleTimeout: 60_000,
        connectTimeout: 10_000,
      };
      return new Mysql(createPool(options));
    },
  };
}

class Mysql implements DatabasePlugin {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  verify(): Promise<void> {
    return this.#with((connection) => connection.ping());
  }

  async newUser(user: Parameters<DatabasePlugin['newUser']>[0]): Promise<void> {
    const values = {
      name: user.username,
      username: user.username,
      password: user.password,
      expiration: user.expiration
        .toISOString()
        .replace('T', ' ')
        .replace(/\.\d+Z$/, '+0000'),
    };
    try {
      await this.#run(commands(user.statements, values));
    } catch (error) {
      if (user.rollback.length > 0) await this.#run(commands(user.rollback, values)).catch(() => undefined);
      throw error;
    }
  }

  changePassword({
    username,
    password,
    statements,
  }: Parameters<DatabasePlugin['changePassword']>[0]): Promise<void> {
    const list = statements.length > 0 ? statements : [CHANGE_PASSWORD];
    return this.#run(commands(list, { name: username, username, password }));
  }

  // MySQL's users do not end by themselves.
  changeExpiration({
    username,
    statements,
  }: Parameters<DatabasePlugin['changeExpiration']>[0]): Promise<void> {
    return statements.length === 0
      ? Promise.resolve()
      : this.#run(commands(statements, { name: username, username }));
  }

  async deleteUser({ username, statements }: Parameters<DatabasePlugin['deleteUser']>[0]): Promise<void> {
    if (statements.length === 0 && !(await this.#exists(username))) return;
    const list = statements.length > 0 ? statements : DELETE_USER;
    await this.#run(commands(list, { name: username, username }));
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  // Statements about users end a transaction by themselves (MySQL §13.3.3); the others are taken back together.
  #run(list: readonly string[]): Promise<void> {
    return this.#with(async (connection) => {
      await connection.beginTransaction();
      try {
        for (const command of list) await connection.query(command);
        await connection.commit();
      } catch (error) {
        await connection.rollback();
        throw error;
      }
    });
  }

  // Whoever may not read the table of users is told by the statements themselves.
  async #exists(username: string): Promise<boolean> {
    try {
      const [rows] = await this.#pool.query('SELECT 1 FROM mysql.user WHERE user = ?', [username]);
      return Array.isArray(rows) && rows.length > 0;
    } catch {
      return true;
    }
  }

  async #with(work: (connection: PoolConnection) => Promise<void>): Promise<void> {
    const connection = await this.#pool.getConnection();
    try {
      await work(connection);
    } catch (error) {
      // What state it is in is not known.
      connection.destroy();
      throw error;
    }
    connection.release();
  }
}

function tls(target: MysqlTarget, details: JsonObject): SslOptions | undefined {
  const authorities = detail(details, 'tls_ca');
  const both = detail(details, 'tls_certificate_key');
  const wanted = target.tls !== 'false' || authorities !== '' || both !== '';
  if (!wanted) return undefined;
  return {
    ...(authorities === '' ? {} : { ca: authorities }),
    ...(both === '' ? {} : { cert: both, key: both }),
    rejectUnauthorized: target.tls !== 'skip-verify' && !flag(details, 'tls_skip_verify'),
  };
}
