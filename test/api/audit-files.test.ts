import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

/** Beside the vault's own folder: what a device must not reach. */
const outside = mkdtempSync(join(tmpdir(), 'audit-outside-'));
let engine: TestEngine;
let folder: string;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  folder = join(engine.dir, 'audit');
  mkdirSync(folder);
  await engine.reconfigure({ audit_directory: folder });
  await engine.active();
});
beforeEach(async () => {
  for (const name of Object.keys((await engine.call('GET', 'sys/audit')).body.data))
    await engine.call('DELETE', `sys/audit/${name}`);
});
afterAll(async () => {
  await engine.stop();
  rmSync(outside, { recursive: true, force: true });
});

const enable = async (
  file: string,
  options: object = {},
): Promise<{ readonly status: number; readonly errors: string }> => {
  const body = { type: 'file', options: { file_path: file, ...options } };
  const answer = await engine.call('PUT', 'sys/audit/a', body);
  return { status: answer.status, errors: String(answer.body?.errors ?? '') };
};

describe('a device of the API', () => {
  test('has its file below the folder, also in folders that are made for it', async () => {
    expect(await enable(join(folder, 'deep', 'er', 'a.log'))).toEqual({ status: 204, errors: '' });
    await engine.call('GET', 'cubbyhole/a');
    expect(readFileSync(join(folder, 'deep', 'er', 'a.log'), 'utf8')).toContain('"type":"response"');
    expect(statSync(join(folder, 'deep', 'er', 'a.log')).mode & 0o777).toBe(0o600);
  });

  test('has it nowhere else', async () => {
    symlinkSync(outside, join(folder, 'out'));
    symlinkSync(join(outside, 'target.log'), join(folder, 'link.log'));
    for (const file of [
      join(outside, 'a.log'),
      join(folder, '..', 'a.log'),
      `${folder}-beside/a.log`,
      folder,
      join(engine.dir, 'data', 'a.log'),
      join(folder, 'out', 'a.log'),
      join(folder, 'out', 'made', 'a.log'),
      join(folder, 'link.log'),
      join(folder, '.profile'),
      join(folder, '.ssh', 'authorized_keys'),
      '/proc/self/fd/1',
      '/dev/full',
      'a.log',
    ]) {
      const answer = await enable(file);
      expect([file, answer.status]).toEqual([file, 400]);
    }
    expect(readdirSync(outside)).toEqual([]);
    expect((await engine.call('GET', 'sys/audit')).body.data).toEqual({});
  });

  test('writes into no file that is no audit log, and changes no mode', async () => {
    const config = join(folder, 'config.hcl');
    writeFileSync(config, 'storage "inmem" {}\n', { mode: 0o640 });
    expect((await enable(config, { prefix: 'seal "shamir" {}\n#' })).errors).toContain('is no audit log');
    linkSync(config, join(folder, 'hard.log'));
    expect((await enable(join(folder, 'hard.log'))).errors).toContain('is no audit log');
    expect(readFileSync(config, 'utf8')).toBe('storage "inmem" {}\n');
    expect(statSync(config).mode & 0o777).toBe(0o640);

    const log = join(folder, 'there.log');
    writeFileSync(log, '');
    chmodSync(log, 0o644);
    expect((await enable(log, { mode: '0600' })).status).toBe(204);
    await engine.call('DELETE', 'sys/audit/a');
    expect((await enable(log)).status).toBe(204);
    expect(statSync(log).mode & 0o777).toBe(0o644);
  });

  test('is no pipe and no socket, and nobody waits for a reader', async () => {
    const pipe = join(folder, 'pipe.log');
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    const socket = createServer();
    await new Promise<void>((resolve) => socket.listen(join(folder, 'socket.log'), resolve));
    mkdirSync(join(folder, 'folder.log'));
    for (const name of ['pipe.log', 'socket.log', 'folder.log']) {
      const answer = await enable(join(folder, name));
      expect([name, answer.status]).toEqual([name, 400]);
    }
    socket.close();
    expect((await engine.call('GET', 'sys/health')).status).toBe(200);
  });

  test('sends to no socket outside of the folder', async () => {
    const path = join(engine.dir, 'agent.sock');
    let connections = 0;
    const server = createServer(() => (connections += 1));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const options = { socket_type: 'unix', address: path };
    const answer = await engine.call('PUT', 'sys/audit/s', { type: 'socket', options });
    expect([answer.status, String(answer.body.errors)]).toEqual([
      400,
      expect.stringContaining('must be below the folder'),
    ]);
    server.close();
    expect(connections).toBe(0);
  });

  test('keeps the words that go nowhere in particular', async () => {
    for (const file of ['discard', 'stdout', '/dev/stdout']) {
      expect((await enable(file)).status).toBe(204);
      await engine.call('DELETE', 'sys/audit/a');
    }
  });

  test('is refused an option that it would not follow, by the name of the option', async () => {
    const file = join(folder, 'o.log');
    for (const [options, text] of [
      [{ filter: 'mount_type == kv' }, 'filter is not supported'],
      [{ fallback: 'true' }, 'fallback is not supported'],
      [{ exclude: '[{"fields":["/request/data"]}]' }, 'exclude is not supported'],
      [{ file_mode: '0600' }, '"file_mode" is no option of type file'],
      [{ address: '127.0.0.1:1' }, '"address" is no option of type file'],
    ] as const)
      expect(await enable(file, options)).toEqual({ status: 400, errors: expect.stringContaining(text) });
    expect(existsSync(file)).toBe(false);
    expect((await enable(file, { filter: '', fallback: 'false' })).status).toBe(204);
  });
});

describe('a device that is stored', () => {
  test('whose file has become a pipe takes nothing, and the vault opens', async () => {
    const file = join(folder, 'later.log');
    expect((await enable(file)).status).toBe(204);
    await engine.halt();
    rmSync(file);
    expect(spawnSync('mkfifo', [file]).status).toBe(0);
    await engine.boot();
    await expect.poll(async () => (await engine.call('GET', 'sys/seal-status')).body.sealed).toBe(false);
    expect((await engine.call('GET', 'sys/health')).status).toBe(200);
    expect((await engine.call('GET', 'cubbyhole/a')).status).toBe(500);
    rmSync(file);
    expect((await engine.call('GET', 'cubbyhole/a')).status).toBe(404);
  });

  test('takes nothing outside of the folder that the configuration names now', async () => {
    expect((await enable(join(folder, 'moved.log'))).status).toBe(204);
    const other = join(engine.dir, 'other');
    mkdirSync(other);
    await engine.reconfigure({ audit_directory: other });
    await engine.active();
    const before = readFileSync(join(folder, 'moved.log'), 'utf8');
    expect((await engine.call('GET', 'cubbyhole/a')).status).toBe(500);
    expect(readFileSync(join(folder, 'moved.log'), 'utf8')).toBe(before);
    await engine.reconfigure({ audit_directory: folder });
    await engine.active();
    expect((await engine.call('GET', 'cubbyhole/a')).status).toBe(404);
  });
});

describe('the configuration', () => {
  test('turns off devices of the API, and prefixes', async () => {
    await engine.reconfigure({ audit_directory: folder, unsafe_allow_api_audit_creation: false });
    await engine.active();
    expect((await enable(join(folder, 'off.log'))).errors).toBe(
      'cannot enable audit device via API; use declarative, config-based audit device management instead',
    );
    await engine.reconfigure({ audit_directory: folder, allow_audit_log_prefixing: false });
    await engine.active();
    expect((await enable(join(folder, 'off.log'), { prefix: 'x' })).errors).toContain(
      'allow_audit_log_prefixing',
    );
    expect(existsSync(join(folder, 'off.log'))).toBe(false);
    expect((await enable(join(folder, 'on.log'))).status).toBe(204);
    await engine.call('DELETE', 'sys/audit/a');
    await engine.reconfigure({ audit_directory: folder });
    await engine.active();
  });

  test.each([
    [{ file: { file_path: 'x.log', filter: 'a == b' } }, 'filter is not supported'],
    [{ file: { file_path: 'x.log', colour: 'blue' } }, '"colour" is no option'],
    [{ file: { file_path: 'x.log', mode: '0777' } }, 'mode must be octal'],
  ])('with a device %j does not start', async (device, text) => {
    await expect(engine.reconfigure({ audit: [device] })).rejects.toThrow(text);
    await engine.reconfigure({ audit_directory: folder });
    await engine.active();
  });

  test('may name a pipe: without a reader it takes nothing, and nobody waits', async () => {
    const pipe = join(engine.dir, 'declared');
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    await engine.reconfigure({ audit_directory: folder, audit: [{ file: { file_path: pipe } }] });
    await engine.active();
    expect((await engine.call('GET', 'cubbyhole/a')).status).toBe(500);
    await engine.reconfigure({ audit_directory: folder });
    await engine.active();
  });
});
