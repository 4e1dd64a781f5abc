import { type Backend, PathTable } from '../../logical/logical.ts';
import type { Storage } from '../../logical/storage.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Random } from '../../../lib/random.ts';
import { Connections } from './connections.ts';
import type { DatabaseContext } from './context.ts';
import type { PasswordSource } from './passwords.ts';
import { configPaths } from './path-config.ts';
import { credsPaths, renewCreds, revokeCreds } from './path-creds.ts';
import { rolePaths } from './path-roles.ts';
import { rotatePaths } from './path-rotate.ts';
import { staticRolePaths } from './path-static-roles.ts';
import type { PluginType } from './plugin.ts';
import { mysql } from './plugins/mysql.ts';
import type { DatabasePlugin } from './plugin-names.ts';
import { postgresql } from './plugins/postgresql.ts';
import { Rotation } from './rotation.ts';
import { DatabaseStore } from './store.ts';

const MYSQL_NAME =
  '{{ printf "v-%s-%s-%s-%s" (.DisplayName | truncate 10) (.RoleName | truncate 10) (random 20) (unix_time) | truncate 32 }}';
const MYSQL_SHORT_NAME =
  '{{ printf "v-%s-%s-%s-%s" (.DisplayName | truncate 4) (.RoleName | truncate 4) (random 20) (unix_time) | truncate 16 }}';

/** Database plugins, by their names. One line each. */
const plugins: Readonly<Record<DatabasePlugin, (random: Random) => PluginType>> = {
  'mysql-aurora-database-plugin': () => mysql(MYSQL_SHORT_NAME),
  'mysql-database-plugin': () => mysql(MYSQL_NAME),
  'mysql-legacy-database-plugin': () => mysql(MYSQL_SHORT_NAME),
  'mysql-rds-database-plugin': () => mysql(MYSQL_SHORT_NAME),
  'postgresql-database-plugin': postgresql,
};

/**
 * The database secrets engine: users of databases with leases, and passwords of existing users that are rotated.
 *
 * I1  A password changes in the database only after it is stored here as an intent: a crash loses none.
 * I2  No password is in an error, a log or a read of a configuration.
 * I3  A user is removed by the statements of its role, or by those of its lease when the role is gone.
 * I4  What changes a configuration runs alone for it; a pool that was replaced serves whoever has it to the end.
 */
export function createDatabase(
  storage: Storage,
  clock: Clock,
  random: Random,
  passwordFrom: PasswordSource,
): Backend {
  const store = new DatabaseStore(storage);
  const types = Object.fromEntries(Object.entries(plugins).map(([name, make]) => [name, make(random)]));
  const connections = new Connections(store, types);
  const context: DatabaseContext = { store, connections, clock, random, passwordFrom };
  const rotation = new Rotation(context);
  return {
    type: 'database',
    paths: new PathTable([
      ...configPaths(context),
      ...rolePaths(context),
      ...credsPaths(context),
      ...staticRolePaths(context, rotation),
      ...rotatePaths(context, rotation),
    ]),
    renewSecret: (lease) => renewCreds(context, lease),
    revokeSecret: (lease) => revokeCreds(context, lease),
    tick: () => rotation.tick(),
    close: () => connections.close(),
  };
}
