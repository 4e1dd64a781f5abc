import { beforeEach, describe, expect, test } from 'vitest';
import { Connections } from '../../../../src/engine/secrets/database/connections.ts';
import type { DatabaseContext } from '../../../../src/engine/secrets/database/context.ts';
import { hasPassword, redacted } from '../../../../src/engine/secrets/database/details.ts';
import type { PluginType } from '../../../../src/engine/secrets/database/plugin.ts';
import { parseMysqlDsn } from '../../../../src/engine/secrets/database/plugins/mysql-dsn.ts';
import { parsePostgresUrl } from '../../../../src/engine/secrets/database/plugins/postgresql-url.ts';
import { Rotation } from '../../../../src/engine/secrets/database/rotation.ts';
import { nextTime, parseSchedule } from '../../../../src/engine/secrets/database/schedule.ts';
import { commands } from '../../../../src/engine/secrets/database/statements.ts';
import { DatabaseStore } from '../../../../src/engine/secrets/database/store.ts';
import {
  fillTemplate,
  parseTemplate,
  TemplateInvalid,
} from '../../../../src/engine/secrets/database/template.ts';
import { systemRandom } from '../../../../src/lib/random.ts';
import { FakeClock } from '../../operator/runtime/clock.ts';
import { Memory } from '../identity/memory.ts';

describe('a user name template', () => {
  const fill = (source: string) => {
    const template = parseTemplate(source);
    if (template instanceof TemplateInvalid) return template.message;
    const fields = { DisplayName: 'token-Alice', RoleName: 'my-role' };
    const filled = fillTemplate(template, { fields, random: systemRandom, now: 1_700_000_000_123 });
    return filled instanceof TemplateInvalid ? filled.message : filled;
  };

  test.each([
    ['{{.RoleName}}', 'my-role'],
    ['a{{- .RoleName -}} b', 'amy-roleb'],
    ['{{ .DisplayName | truncate 5 | uppercase }}', 'TOKEN'],
    ['{{ replace "-" "_" .DisplayName }}', 'token_Alice'],
    ['{{ printf "%s/%s" (.RoleName | truncate 2) (unix_time) }}', 'my/1700000000'],
    ['{{ unix_time_millis }}', '1700000000123'],
    ['{{ timestamp "2006-01-02" }}', '2023-11-14'],
    ['{{ nothing }}', 'function "nothing" not defined'],
    ['{{ .Other }}', "can't evaluate field Other"],
    ['{{ .RoleName ', 'unclosed action'],
    ['{{ (.RoleName }}', 'unclosed left paren'],
    ['{{ truncate 0 "a" }}', expect.stringContaining('length')],
  ])('%s', (source, expected) => expect(fill(source)).toEqual(expected));

  test('random parts have their length and differ', () => {
    expect(fill('{{ random 20 }}')).toMatch(/^[0-9A-Za-z]{20}$/);
    expect(fill('{{ random 20 }}')).not.toBe(fill('{{ random 20 }}'));
    expect(fill('{{ .DisplayName | truncate_sha256 10 }}')).toHaveLength(10);
  });
});

test('statements are split at semicolons, but not within a body', () => {
  expect(commands(['A "{{name}}"; B {{ password }};', 'C {{other}}'], { name: 'n', password: '$1' })).toEqual(
    ['A "n"', 'B $1', 'C {{other}}'],
  );
  const body = 'DO $$ BEGIN a; b; END $$;';
  expect(commands([body], {})).toEqual([body]);
});

describe('connection URLs', () => {
  const values = { username: 'u@:/', password: 'p@ss:/w?rd' };
  test('PostgreSQL: a URL, with whatever a password holds', () => {
    expect(
      parsePostgresUrl('postgresql://{{username}}:{{password}}@db:5433/app?sslmode=disable', values),
    ).toEqual({
      host: 'db',
      port: 5433,
      user: 'u@:/',
      password: 'p@ss:/w?rd',
      database: 'app',
      sslMode: 'disable',
      sslRootCert: '',
    });
    expect(parsePostgresUrl('postgres://a:b%40c@[::1]/', values)).toMatchObject({
      host: '::1',
      port: 5432,
      user: 'a',
      password: 'b@c',
      database: 'a',
      sslMode: 'prefer',
    });
  });
  test('PostgreSQL: settings', () => {
    const text = "host=/run/pg port=5555 user={{username}} password='{{password}}' dbname='my db'";
    expect(parsePostgresUrl(text, values)).toMatchObject({
      host: '/run/pg',
      port: 5555,
      user: 'u@:/',
      password: 'p@ss:/w?rd',
      database: 'my db',
    });
    expect(parsePostgresUrl('nonsense', values)).toBeUndefined();
  });
  test('MySQL: TCP and sockets', () => {
    expect(parseMysqlDsn('{{username}}:{{password}}@tcp(db:3307)/app?tls=skip-verify', values)).toEqual({
      user: 'u@:/',
      password: 'p@ss:/w?rd',
      host: 'db',
      port: 3307,
      socket: '',
      database: 'app',
      tls: 'skip-verify',
    });
    expect(parseMysqlDsn('root:x@unix(/run/mysqld/s)/', values)).toMatchObject({
      user: 'root',
      password: 'x',
      socket: '/run/mysqld/s',
    });
  });
  test('a password inside of one is told and hidden', () => {
    for (const url of [
      'postgres://a:secret@h/d',
      'root:secret@tcp(h)/',
      'postgres://{{username}}:secret@h/d',
    ]) {
      expect(hasPassword(url)).toBe(true);
      expect(JSON.stringify(redacted({ connection_url: url, password: 'secret' }))).not.toContain('secret');
    }
    expect(hasPassword('postgres://{{username}}:{{password}}@h/d')).toBe(false);
  });
});

describe('a schedule', () => {
  const next = (text: string, from: string) => {
    const schedule = parseSchedule(text);
    if (schedule === undefined) return undefined;
    const time = nextTime(schedule, Date.parse(from) / 1000);
    return time === undefined ? 'never' : new Date(time * 1000).toISOString();
  };
  test.each([
    ['0 3 * * SUN', '2026-11-25T21:00:00Z', '2026-11-29T03:00:00.000Z'],
    ['*/15 * * * *', '2026-11-25T21:07:30Z', '2026-11-25T21:15:00.000Z'],
    ['30 1 1,15 * *', '2026-11-25T21:00:00Z', '2026-12-01T01:30:00.000Z'],
    ['0 0 29 feb *', '2026-11-25T21:00:00Z', '2028-02-29T00:00:00.000Z'],
    ['0 12 1 * mon-wed', '2026-11-25T13:00:00Z', '2026-11-30T12:00:00.000Z'],
    ['@daily', '2026-11-25T00:00:00Z', '2026-11-26T00:00:00.000Z'],
    ['0 0 31 2 *', '2026-11-25T00:00:00Z', 'never'],
    ['60 * * * *', '2026-11-25T00:00:00Z', undefined],
    ['* * *', '2026-11-25T00:00:00Z', undefined],
    ['5-1 * * * *', '2026-11-25T00:00:00Z', undefined],
  ])('%s after %s is %s', (text, from, expected) => expect(next(text, from)).toBe(expected));
});

describe('a crash at any write of a rotation', () => {
  let memory: Memory;
  let clock: FakeClock;
  // The database: the passwords that open it now.
  let root: string;
  let user: string;
  const details = { connection_url: 'x', username: 'root', password: 'r0' };
  const types: Record<string, PluginType> = {
    fake: {
      usernameTemplate: '',
      open: async (given) =>
        Promise.resolve({
          verify: async () => {
            await Promise.resolve();
            if (given['password'] !== root) throw new Error('denied');
          },
          newUser: () => Promise.resolve(),
          changePassword: async ({ username, password }) => {
            await Promise.resolve();
            if (given['password'] !== root) throw new Error('denied');
            if (username === 'root') root = password;
            else user = password;
          },
          changeExpiration: () => Promise.resolve(),
          deleteUser: () => Promise.resolve(),
          close: () => Promise.resolve(),
        }),
    },
  };
  const open = () => {
    const store = new DatabaseStore(memory);
    const connections = new Connections(store, types);
    const passwordFrom = () => Promise.resolve({ refused: 'none' });
    const context: DatabaseContext = { store, connections, clock, random: systemRandom, passwordFrom };
    return { store, connections, rotation: new Rotation(context) };
  };
  beforeEach(async () => {
    memory = new Memory();
    clock = new FakeClock();
    root = 'r0';
    user = 'u0';
    await open().store.putConfig('main', {
      pluginName: 'fake',
      pluginVersion: '',
      details,
      allowedRoles: ['*'],
      rootRotationStatements: [],
      passwordPolicy: '',
    });
  });
  const role = {
    dbName: 'main',
    username: 'fixed',
    rotationPeriod: 60,
    rotationSchedule: '',
    rotationWindow: 0,
    statements: [],
    credentialType: 'password',
    credentialConfig: {},
  };

  test('of a static role: the next tick makes both sides agree', async () => {
    await open().rotation.begin('r', role);
    for (const failing of [1, 2]) {
      clock.stall(60_000);
      const { rotation } = open();
      const write = memory.write.bind(memory);
      let writes = 0;
      memory.write = async (operations) => {
        writes += 1;
        if (writes >= failing) throw new Error('crashed');
        return write(operations);
      };
      await expect(rotation.tick()).rejects.toThrow('crashed');
      memory.write = write;
      clock.stall(11_000);
      const after = open();
      await after.rotation.tick();
      expect((await after.store.staticRole('r'))?.password).toBe(user);
      expect(await after.store.staticIntent('r')).toBeUndefined();
    }
  });

  test('of the root password: the next use finds out which one is right', async () => {
    for (const changed of [false, true]) {
      const { store, connections } = open();
      await store.putRootIntent('main', { password: `next-${changed}` });
      if (changed) root = `next-${changed}`;
      await connections.use('main', ({ plugin }) => plugin.verify());
      expect((await store.config('main'))?.details['password']).toBe(root);
      expect(await store.rootIntent('main')).toBeUndefined();
    }
    const { store, connections } = open();
    await store.putRootIntent('main', { password: 'neither' });
    root = 'someone else’s';
    await expect(connections.use('main', () => Promise.resolve())).rejects.toThrow('denied');
    expect(await store.rootIntent('main')).toEqual({ password: 'neither' });
  });
});
