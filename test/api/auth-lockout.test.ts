import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized({
    user_lockout: [{ all: { lockout_threshold: '4' } }, { approle: { lockout_threshold: '2' } }],
  });
  await engine.call('POST', 'sys/auth/userpass', { type: 'userpass' });
  await engine.call('POST', 'sys/auth/approle', { type: 'approle' });
});
afterAll(async () => engine.stop());

const login = (name: string, password: string) =>
  engine.call('POST', `auth/userpass/login/${name}`, { password }, '');
const accessor = async (path: string): Promise<string> =>
  (await engine.call('GET', 'sys/auth')).body.data[path].accessor;

test('the configured threshold locks a name, whatever its case; sys/locked-users shows it and unlocks it', async () => {
  await engine.call('POST', 'auth/userpass/users/ann', { password: 'canary-right-1' });
  for (const name of ['ann', 'Ann', 'ANN', 'ann'])
    expect((await login(name, 'no')).body.errors).toEqual(['invalid username or password']);
  const locked = await login('ann', 'canary-right-1');
  expect([locked.status, locked.body.errors]).toEqual([403, ['permission denied']]);
  const mount = await accessor('userpass/');
  expect((await engine.call('GET', 'sys/locked-users')).body.data).toEqual({
    by_namespace: [
      {
        counts: 1,
        mount_accessors: [{ alias_identifiers: ['ann'], counts: 1, mount_accessor: mount }],
        namespace_id: 'root',
        namespace_path: '',
      },
    ],
    total: 1,
  });
  expect((await engine.call('GET', 'sys/locked-users?mount_accessor=none')).body.data.total).toBe(0);
  expect((await engine.call('GET', 'sys/locked-users', undefined, '')).status).toBe(403);
  expect((await engine.call('POST', `sys/locked-users/${mount}/unlock/ann`)).status).toBe(204);
  expect((await login('ann', 'canary-right-1')).status).toBe(200);
  expect((await engine.call('GET', 'sys/locked-users')).body.data).toEqual({ by_namespace: [], total: 0 });
});

test('a login sets the count back; unknown names lock like known ones; a lock outlives a restart', async () => {
  await engine.call('POST', 'auth/userpass/users/bob', { password: 'canary-right-2' });
  for (let round = 0; round < 3; round += 1) {
    for (let tries = 0; tries < 3; tries += 1) await login('bob', 'no');
    expect((await login('bob', 'canary-right-2')).status).toBe(200);
  }
  for (let tries = 0; tries < 4; tries += 1) await login('nobody', 'no');
  expect((await login('nobody', 'no')).status).toBe(403);
  await Promise.all([1, 2, 3, 4].map(() => login('bob', 'no')));
  await engine.restart();
  expect((await login('bob', 'canary-right-2')).status).toBe(403);
  await engine.call('DELETE', 'sys/auth/userpass');
  expect((await engine.call('GET', 'sys/locked-users')).body.data.total).toBe(0);
  await engine.call('POST', 'sys/auth/userpass', { type: 'userpass' });
});

test('only a wrong secret ID of a known role counts; the rule of the type beats the rule of all', async () => {
  await engine.call('POST', 'auth/approle/role/app', { role_id: 'canary-role' });
  for (let tries = 0; tries < 6; tries += 1) {
    const unknown = await engine.call('POST', 'auth/approle/login', { role_id: 'none', secret_id: 'x' }, '');
    expect([unknown.status, unknown.body.errors]).toEqual([400, ['invalid role or secret ID']]);
  }
  const wrong = () =>
    engine.call('POST', 'auth/approle/login', { role_id: 'canary-role', secret_id: 'x' }, '');
  expect((await wrong()).status).toBe(400);
  expect((await wrong()).status).toBe(400);
  expect((await wrong()).status).toBe(403);
});

test('a mount is tuned by itself: thresholds, times, and no lock-out at all', async () => {
  const tune = (user_lockout_config: object, path = 'auth/userpass') =>
    engine.call('POST', `sys/${path}/tune`, { user_lockout_config });
  expect(
    (
      await tune({
        lockout_threshold: '1',
        lockout_duration: '1s',
        lockout_counter_reset_duration: '10m',
      })
    ).status,
  ).toBe(204);
  expect((await engine.call('GET', 'sys/auth/userpass/tune')).body.data).toMatchObject({
    user_lockout_counter_reset_duration: 600,
    user_lockout_disable: false,
    user_lockout_duration: 1,
    user_lockout_threshold: 1,
  });
  await engine.call('POST', 'auth/userpass/users/eve', { password: 'canary-right-3' });
  expect((await login('eve', 'no')).status).toBe(400);
  expect((await login('eve', 'canary-right-3')).status).toBe(403);
  await expect.poll(async () => (await login('eve', 'canary-right-3')).status, { timeout: 10_000 }).toBe(200);
  expect((await tune({ lockout_disable: true })).status).toBe(204);
  for (let tries = 0; tries < 6; tries += 1) expect((await login('eve', 'no')).status).toBe(400);
  expect((await login('eve', 'canary-right-3')).status).toBe(200);

  await engine.call('POST', 'sys/auth/strict', {
    type: 'userpass',
    config: { user_lockout_config: { lockout_threshold: 1 } },
  });
  const strict = () => engine.call('POST', 'auth/strict/login/x', { password: 'no' }, '');
  expect([(await strict()).status, (await strict()).status]).toEqual([400, 403]);

  expect((await tune({ lockout_threshold: 'many' })).status).toBe(400);
  await engine.call('POST', 'sys/mounts/kv', { type: 'kv' });
  expect((await tune({ lockout_threshold: 3 }, 'mounts/kv')).body.errors).toEqual([
    'tuning of user lockout configuration for non auth mount "kv/" not allowed',
  ]);
  expect((await tune({ lockout_threshold: 3 }, 'auth/token')).body.errors).toEqual([
    'tuning of user lockout configuration for auth type "token" not allowed',
  ]);
  expect(engine.logLines.join('')).not.toMatch(/canary-(right|role)/);
});
