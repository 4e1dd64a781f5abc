import { execFileSync, type ChildProcess, spawn } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import pg from 'pg';

/** A database server of a test's own, in a folder that goes with it. */
export interface TestDatabase {
  readonly port: number;
  /** The certificate of the server, for localhost and 127.0.0.1; empty without TLS. */
  readonly certificate: string;
  /** Of the administrator. */
  readonly user: string;
  readonly password: string;
  query(sql: string, as?: { user: string; password: string }): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
  /** The same server again, after stop. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

const ADMIN = { user: 'vaultadmin', password: 'canary-db-admin-7' };

// As root, a server runs as its own user: PostgreSQL refuses anything else.
function as(user: string): { prefix: string[]; uid: number | undefined } {
  if (process.getuid?.() !== 0) return { prefix: [], uid: undefined };
  const uid = Number(execFileSync('id', ['-u', user], { encoding: 'utf8' }));
  return { prefix: ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'], uid };
}

function folder(name: string, uid: number | undefined): string {
  const dir = mkdtempSync(join(tmpdir(), `sealedvault-${name}-`));
  if (uid !== undefined) chownSync(dir, uid, uid);
  return dir;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function until(ready: () => Promise<unknown>): Promise<void> {
  let last: unknown;
  for (let tries = 0; tries < 300; tries += 1) {
    try {
      await ready();
      return;
    } catch (error) {
      last = error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error('the database did not start', { cause: last });
}

function ended(child: ChildProcess): Promise<void> {
  return child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', () => resolve()));
}

/** PostgreSQL of the Debian package, with SCRAM over TCP. */
export async function startPostgres(): Promise<TestDatabase> {
  const { prefix, uid } = as('postgres');
  const versions = '/usr/lib/postgresql';
  const newest = existsSync(versions)
    ? readdirSync(versions).toSorted((a, b) => Number(b) - Number(a))[0]
    : '';
  const bin = (name: string): string => join(versions, newest ?? '', 'bin', name);
  const dir = folder('postgres', uid);
  const data = join(dir, 'data');
  const secret = join(dir, 'password');
  writeFileSync(secret, ADMIN.password, { mode: 0o644 });
  const run = (program: string, args: string[]): void => {
    const [command = '', ...rest] = [...prefix, program, ...args];
    execFileSync(command, rest, { stdio: 'ignore', cwd: dir });
  };
  run(bin('initdb'), [
    '-D',
    data,
    '-U',
    ADMIN.user,
    '-A',
    'scram-sha-256',
    `--pwfile=${secret}`,
    '--no-sync',
  ]);
  const [key, certificate] = [join(dir, 'server.key'), join(dir, 'server.crt')];
  const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost';
  const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const openssl = process.env['OPENSSL'] ?? 'openssl';
  run(openssl, [...request.split(' '), ...names, '-keyout', key, '-out', certificate]);
  const port = await freePort();
  let child: ChildProcess | undefined;
  const query: TestDatabase['query'] = async (sql, { user, password } = ADMIN) => {
    const client = new pg.Client({ host: '127.0.0.1', port, user, password, database: 'postgres' });
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const start = async (): Promise<void> => {
    const args = [
      '-D',
      data,
      '-p',
      `${port}`,
      '-k',
      dir,
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'fsync=off',
      ...['ssl=on', `ssl_cert_file=${certificate}`, `ssl_key_file=${key}`].flatMap((each) => ['-c', each]),
    ];
    const [command = '', ...rest] = [...prefix, bin('postgres'), ...args];
    child = spawn(command, rest, { stdio: 'ignore', cwd: dir });
    await until(() => query('SELECT 1'));
  };
  const stop = async (): Promise<void> => {
    if (child === undefined) return;
    child.kill('SIGINT');
    await ended(child);
  };
  await start();
  return {
    port,
    certificate: readFileSync(certificate, 'utf8'),
    ...ADMIN,
    query,
    start,
    stop,
    remove: async () => {
      await stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** MariaDB of the Debian package. */
export async function startMariadb(): Promise<TestDatabase> {
  const { prefix, uid } = as('mysql');
  const dir = folder('mariadb', uid);
  const data = join(dir, 'data');
  const init = join(dir, 'init.sql');
  writeFileSync(
    init,
    `CREATE USER '${ADMIN.user}'@'%' IDENTIFIED BY '${ADMIN.password}';
GRANT ALL PRIVILEGES ON *.* TO '${ADMIN.user}'@'%' WITH GRANT OPTION;
CREATE DATABASE app;
`,
    { mode: 0o644 },
  );
  const install = ['mariadb-install-db', '--no-defaults', `--datadir=${data}`, '--skip-test-db'];
  const [command = '', ...rest] = prefix.concat(install);
  execFileSync(command, rest, { stdio: 'ignore', cwd: dir });
  const port = await freePort();
  let child: ChildProcess | undefined;
  let fresh = true;
  const query: TestDatabase['query'] = async (sql, { user, password } = ADMIN) => {
    const connection = await mysql.createConnection({ host: '127.0.0.1', port, user, password });
    try {
      const [rows] = await connection.query(sql);
      return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
    } finally {
      await connection.end();
    }
  };
  const start = async (): Promise<void> => {
    const args = [
      '--no-defaults',
      `--datadir=${data}`,
      `--socket=${join(dir, 's')}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      ...(fresh ? [`--init-file=${init}`] : []),
    ];
    const [program = '', ...more] = [...prefix, 'mariadbd', ...args];
    child = spawn(program, more, { stdio: 'ignore', cwd: dir });
    await until(() => query('SELECT 1'));
    fresh = false;
  };
  const stop = async (): Promise<void> => {
    if (child === undefined) return;
    child.kill('SIGTERM');
    await ended(child);
  };
  await start();
  return {
    port,
    certificate: '',
    ...ADMIN,
    query,
    start,
    stop,
    remove: async () => {
      await stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
