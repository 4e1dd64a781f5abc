import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.initialized();
});

afterAll(() => engine.stop());

const b64 = (text: string): string => Buffer.from(text).toString('base64');

describe('tools', () => {
  test('make random bytes', async () => {
    const random = async (path: string, body: object = {}) =>
      engine.call('POST', `sys/tools/random${path}`, body);
    expect(Buffer.from((await random('')).body.data.random_bytes, 'base64')).toHaveLength(32);
    expect((await random('/16', { format: 'hex' })).body.data.random_bytes).toMatch(/^[0-9a-f]{32}$/);
    expect(Buffer.from((await random('/platform/5')).body.data.random_bytes, 'base64')).toHaveLength(5);
    for (const [path, body] of [
      ['', { bytes: 0 }],
      ['', { bytes: 131_073 }],
      ['', { format: 'octal' }],
      ['/moon/5', {}],
      ['/moon', {}],
    ] as const)
      expect((await random(path, body)).status).toBe(400);
  });

  test('hash', async () => {
    const input = b64('hello');
    const sum = createHash('sha3-256').update('hello');
    expect(
      (await engine.call('POST', 'sys/tools/hash/sha3-256', { input, format: 'base64' })).body.data.sum,
    ).toBe(sum.digest('base64'));
    expect((await engine.call('POST', 'sys/tools/hash', { input })).body.data.sum).toBe(
      createHash('sha256').update('hello').digest('hex'),
    );
    const unknown = await engine.call('POST', 'sys/tools/hash/md5', { input });
    expect([unknown.status, unknown.body.errors]).toEqual([400, ['unsupported algorithm md5']]);
    expect((await engine.call('POST', 'sys/tools/hash', { input: '!' })).status).toBe(400);
  });

  test('decode a generated root token, without a token', async () => {
    const otp = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAA';
    const token = 'hvs.abcdefghijklmnopqrstuvwx';
    const bytes = Buffer.from(token).map((byte, index) => byte ^ otp.charCodeAt(index));
    const encoded_token = Buffer.from(bytes).toString('base64').replace(/=+$/, '');
    const answer = await engine.call('PUT', 'sys/decode-token', { encoded_token, otp }, '');
    expect([answer.status, answer.body.data]).toEqual([200, { token }]);
    expect((await engine.call('PUT', 'sys/decode-token', { encoded_token, otp: 'A' }, '')).status).toBe(400);
    expect((await engine.call('PUT', 'sys/decode-token', { otp }, '')).body.errors).toEqual([
      'missing encoded_token',
    ]);
  });
});

describe('password policies', () => {
  test('are kept, generate, and are refused when they cannot work', async () => {
    const policy = 'length = 12\nrule "charset" {\n  charset = "abcdef"\n  min-chars = 1\n}';
    expect((await engine.call('LIST', 'sys/policies/password')).status).toBe(404);
    expect((await engine.call('PUT', 'sys/policies/password/p', { policy })).status).toBe(204);
    expect((await engine.call('PUT', 'sys/policies/password/q', { policy: b64(policy) })).status).toBe(204);
    expect((await engine.call('LIST', 'sys/policies/password')).body.data.keys).toEqual(['p', 'q']);
    expect((await engine.call('GET', 'sys/policies/password/q')).body.data).toEqual({ policy });
    const made = await engine.call('GET', 'sys/policies/password/p/generate');
    expect(made.body.data.password).toMatch(/^[a-f]{12}$/);
    expect((await engine.call('DELETE', 'sys/policies/password/p')).status).toBe(204);
    expect((await engine.call('GET', 'sys/policies/password/p')).status).toBe(404);
    expect((await engine.call('GET', 'sys/policies/password/p/generate')).status).toBe(404);
    const bad = await engine.call('PUT', 'sys/policies/password/p', { policy: 'length = 20' });
    expect([bad.status, bad.body.errors]).toEqual([400, ['invalid password policy: no charset specified']]);
    expect((await engine.call('PUT', 'sys/policies/password/p', {})).body.errors).toEqual(['missing policy']);
  });
});

describe('the server', () => {
  test('tells of its versions, its node and its host', async () => {
    const history = (await engine.call('LIST', 'sys/version-history')).body.data;
    expect(history.key_info[history.keys[0]]).toEqual({
      previous_version: null,
      timestamp_installed: expect.stringMatching(/^\d{4}-/),
      build_date: expect.any(String),
    });
    expect((await engine.call('GET', 'sys/version-history')).status).toBe(405);
    const ha = (await engine.call('GET', 'sys/ha-status')).body;
    expect(ha.nodes).toEqual(ha.data.nodes);
    expect(ha.nodes[0]).toMatchObject({ active_node: true, last_echo: null, version: history.keys[0] });
    const host = (await engine.call('GET', 'sys/host-info')).body.data;
    expect(Object.keys(host)).toEqual(['cpu', 'cpu_times', 'disk', 'host', 'memory', 'timestamp']);
    expect(host.memory.total).toBeGreaterThan(0);
    expect((await engine.call('PUT', 'sys/step-down')).status).toBe(204);
    expect((await engine.call('GET', 'sys/health')).status).toBe(200);
  });

  test('counts tokens and entities, and shows its router', async () => {
    const before = (await engine.call('GET', 'sys/internal/counters/tokens')).body.data;
    await engine.call('POST', 'auth/token/create', {});
    const after = (await engine.call('GET', 'sys/internal/counters/tokens')).body.data;
    expect(after.counters.service_tokens.total).toBe(before.counters.service_tokens.total + 1);
    await engine.call('POST', 'identity/entity', { name: 'ann' });
    expect((await engine.call('GET', 'sys/internal/counters/entities')).body.data).toEqual({
      counters: { entities: { total: 1 } },
    });
    const routes = (await engine.call('GET', 'sys/internal/inspect/router/root')).body.data.root;
    expect(routes.map((each: any) => each.mount_path)).toEqual(['token/', 'cubbyhole/', 'identity/', 'sys/']);
    expect(routes[1].storage_prefix).toBe(`logical/${routes[1].uuid}/`);
    expect((await engine.call('GET', 'sys/internal/inspect/router/moon')).status).toBe(404);
  });

  test('lists what is built in, and registers nothing', async () => {
    const { data } = (await engine.call('GET', 'sys/plugins/catalog')).body;
    expect(data.secret).toEqual(expect.arrayContaining(['kv', 'transit']));
    expect(data.detailed).toContainEqual(
      expect.objectContaining({ name: 'kv', type: 'secret', builtin: true }),
    );
    expect((await engine.call('LIST', 'sys/plugins/catalog/secret')).body.data.keys).toEqual(data.secret);
    expect((await engine.call('LIST', 'sys/plugins/catalog/moon')).status).toBe(400);
    const one = (await engine.call('GET', 'sys/plugins/catalog/secret/kv')).body.data;
    expect(one).toMatchObject({ name: 'kv', builtin: true });
    expect((await engine.call('GET', 'sys/plugins/catalog/secret/moon')).status).toBe(404);
    const refused = await engine.call('POST', 'sys/plugins/catalog/secret/x', { sha256: 'ab', command: 'x' });
    expect(refused.status).toBe(400);
    expect((await engine.call('PUT', 'sys/plugins/reload/backend', { plugin: 'kv' })).status).toBe(200);
    expect((await engine.call('PUT', 'sys/plugins/reload/backend', { mounts: ['moon'] })).status).toBe(400);
  });

  test('lists policies with their texts', async () => {
    await engine.call('PUT', 'sys/policies/acl/mine', { policy: 'path "a" { capabilities = ["read"] }' });
    const { data } = (await engine.call('LIST', 'sys/policies/detailed/acl')).body;
    expect(data.keys).toEqual(['default', 'mine', 'root']);
    expect(data.key_info.mine).toMatchObject({
      name: 'mine',
      policy: 'path "a" { capabilities = ["read"] }',
    });
    expect((await engine.call('GET', 'sys/policies/detailed/acl/mine')).body.data).toEqual(
      data.key_info.mine,
    );
    expect((await engine.call('GET', 'sys/policies/detailed/acl/moon')).status).toBe(404);
  });
});

describe('mounts', () => {
  test('move with their data, and stay moved over a restart', async () => {
    await engine.call('POST', 'sys/mounts/old', { type: 'kv' });
    await engine.call('POST', 'sys/mounts/taken', { type: 'kv' });
    await engine.call('PUT', 'old/a', { value: '1' });
    const before = (await engine.call('GET', 'sys/mounts')).body['old/'];
    const moved = await engine.call('POST', 'sys/remount', { from: 'old', to: 'new/place' });
    expect(moved.status).toBe(200);
    const status = await engine.call('GET', `sys/remount/status/${moved.body.data.migration_id}`);
    expect(status.body.data.migration_info).toEqual({
      source_mount: 'old/',
      target_mount: 'new/place/',
      status: 'success',
    });
    for (const round of ['now', 'after a restart']) {
      expect((await engine.call('GET', 'new/place/a')).body.data, round).toEqual({ value: '1' });
      expect((await engine.call('GET', 'old/a')).status).toBe(404);
      expect((await engine.call('GET', 'sys/mounts')).body['new/place/']).toEqual(before);
      if (round === 'now') await engine.restart();
    }
    for (const [from, to, message] of [
      ['moon', 'x', 'no matching mount at "moon/"'],
      ['taken', 'new/place/below', 'path already in use at "new/place/"'],
      ['taken', 'auth/x', 'cannot remount secret mount to auth mount "auth/x/"'],
      ['auth/token', 'auth/x', 'cannot remount "auth/token/"'],
      ['sys', 'x', 'cannot remount "sys/"'],
      ['', 'x', 'both'],
      ['taken', 'a b', 'whitespace'],
    ]) {
      const answer = await engine.call('POST', 'sys/remount', { from, to });
      expect(answer.status).toBe(400);
      expect(answer.body.errors[0]).toContain(message);
    }
    expect((await engine.call('GET', 'sys/remount/status/none')).status).toBe(404);
  });
});

describe('rotation of the barrier', () => {
  test('is configured within its limits, and stays so over a restart', async () => {
    const read = async () => (await engine.call('GET', 'sys/rotate/keyring/config')).body.data;
    expect(await read()).toEqual({ enabled: true, interval: 0, max_operations: 3_865_470_566 });
    for (const body of [{ max_operations: 999_999 }, { max_operations: 3_865_470_567 }, { interval: '23h' }])
      expect((await engine.call('POST', 'sys/rotate/config', body)).status).toBe(400);
    expect((await engine.call('POST', 'sys/rotate/config', { interval: '48h', enabled: false })).status).toBe(
      204,
    );
    await engine.restart();
    expect(await read()).toEqual({ enabled: false, interval: 172_800, max_operations: 3_865_470_566 });
    const { term } = (await engine.call('GET', 'sys/key-status')).body.data;
    expect((await engine.call('POST', 'sys/rotate/keyring')).status).toBe(204);
    expect((await engine.call('GET', 'sys/key-status')).body.data.term).toBe(term + 1);
    expect(await read()).toEqual({ enabled: false, interval: 172_800, max_operations: 3_865_470_566 });
  });
});
