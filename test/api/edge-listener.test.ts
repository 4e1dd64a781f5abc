import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeToken } from '../seal/support.ts';
import { TestEngine } from './support/engine.ts';
import { EngineProcess } from './support/process.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
let dir = '';
let engine: TestEngine | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sealedvault-listener-'));
});
afterEach(async () => {
  await engine?.stop();
  engine = undefined;
  rmSync(dir, { recursive: true, force: true });
});
const plain = { address: '127.0.0.1:0', tls_disable: true };

function overSocket(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: path, path: '/v1/sys/health' }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on('error', reject);
    asked.end();
  });
}

describe('listener "unix"', () => {
  test('serves with the mode that is asked for, follows a killed one, and is gone after the end', async () => {
    const path = join(dir, 'api.sock');
    // What an engine that was killed leaves behind.
    spawnSync(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ]);
    expect(existsSync(path)).toBe(true);
    engine = await TestEngine.initialized({
      listener: [
        { tcp: plain },
        {
          unix: {
            address: path,
            socket_mode: '0620',
            socket_user: String(process.getuid?.()),
            socket_group: String(process.getgid?.()),
          },
        },
      ],
    });
    expect(statSync(path).mode & 0o777).toBe(0o620);
    expect(await overSocket(path)).toBe(200);
    const curl = await promisify(execFile)('curl', [
      '-sS',
      '-m',
      '10',
      '--unix-socket',
      path,
      'http://x/v1/sys/seal-status',
    ]);
    expect(curl.stdout).toContain('"sealed":false');
    const sanitized = await engine.call('GET', 'sys/config/state/sanitized');
    expect(sanitized.body.data.listeners[1]).toMatchObject({ type: 'unix', config: { address: path } });
    // A second engine does not take it away.
    await expect(TestEngine.start({ listener: [{ unix: { address: path } }] })).rejects.toMatchObject({
      code: 'ERR_CONFIG_INVALID',
    });
    expect(await overSocket(path)).toBe(200);
    await engine.halt();
    expect(existsSync(path)).toBe(false);
  });

  test.each([
    ['a file that is no socket', {}, /no socket/],
    ['a user that nobody knows', { socket_user: 'nobody-knows-me' }, /socket_user/],
    ['a group that nobody knows', { socket_group: 'nobody-knows-me' }, /socket_group/],
  ])('%s is refused, and nothing is removed', async (name, more, message) => {
    const path = join(dir, 'other');
    if (name.includes('file')) writeFileSync(path, 'precious');
    await expect(TestEngine.start({ listener: [{ unix: { address: path, ...more } }] })).rejects.toThrow(
      message,
    );
    if (name.includes('file')) expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  test.each([
    [{ address: 'relative.sock' }],
    [{ address: '/run/x', socket_mode: '999' }],
    [{ address: `/${'x'.repeat(120)}` }],
    [{}],
  ])('%j is refused', async (unix) => {
    await expect(TestEngine.start({ listener: [{ unix }] })).rejects.toMatchObject({
      code: 'ERR_CONFIG_INVALID',
    });
  });
});

describe('headers of answers', () => {
  test('are those of the status, its class and all; the configuration counts more than the API', async () => {
    engine = await TestEngine.initialized({
      enable_response_header_hostname: true,
      listener: [
        {
          tcp: {
            ...plain,
            custom_response_headers: {
              default: { 'X-Everywhere': ['a', ' b '], 'Strict-Transport-Security': ['max-age=1'] },
              '2xx': { 'X-Class': ['two'] },
              '4xx': { 'X-Class': ['four'] },
              '404': { 'X-Class': ['not found'], 'X-Only': ['404'] },
            },
          },
        },
        { tcp: plain },
      ],
    });
    const of = async (path: string, listener = 0): Promise<Record<string, string | null>> => {
      const { headers } = await fetch(`http://${engine?.addresses[listener]}${path}`, {
        headers: { 'X-Vault-Token': engine?.root ?? '' },
        redirect: 'manual',
      });
      const names = ['X-Everywhere', 'X-Class', 'X-Only', 'Strict-Transport-Security', 'X-Vault-Hostname'];
      return Object.fromEntries(names.map((name) => [name, headers.get(name)]));
    };
    const always = {
      'X-Everywhere': 'a; b',
      'Strict-Transport-Security': 'max-age=1',
      'X-Vault-Hostname': hostname(),
    };
    expect(await of('/v1/sys/health')).toEqual({ ...always, 'X-Class': 'two', 'X-Only': null });
    expect(await of('/v1/sys/mounts/no/such')).toMatchObject({ ...always, 'X-Class': 'four' });
    expect(await of('/v1/nosuch/a')).toEqual({ ...always, 'X-Class': 'not found', 'X-Only': '404' });
    expect(await of('/')).toEqual({ ...always, 'X-Class': 'not found', 'X-Only': '404' });
    expect(await of('/v1//sys/health')).toEqual({ ...always, 'X-Class': null, 'X-Only': null });
    expect(await of('/v1/sys/health', 1)).toMatchObject({
      'X-Everywhere': null,
      'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
    });
    const refused = await engine.call('POST', 'sys/config/ui/headers/x-EVERYwhere', { values: ['c'] });
    expect(refused.status).toBe(400);
    expect(refused.body.errors).toEqual([
      'This header already exists in the server configuration and cannot be set in the UI.',
    ]);
  });

  test.each([
    'X-Vault-Token',
    'x-vault-x',
    'Content-Length',
    'Transfer-Encoding',
    'Cache-Control',
    'a b',
    '',
  ])('%j cannot be set', async (name) => {
    const custom = { default: { [name]: ['x'] } };
    await expect(
      TestEngine.start({ listener: [{ tcp: { ...plain, custom_response_headers: custom } }] }),
    ).rejects.toThrow(/custom_response_headers/);
  });

  test.each([
    [{ '600': { A: ['b'] } }],
    [{ '6xx': { A: ['b'] } }],
    [{ default: { A: 'b' } }],
    [{ default: { A: ['b\nSet-Cookie: x'] } }],
    [{ default: 'x' }],
  ])('%j is refused', async (custom) => {
    await expect(
      TestEngine.start({ listener: [{ tcp: { ...plain, custom_response_headers: custom } }] }),
    ).rejects.toMatchObject({ code: 'ERR_CONFIG_INVALID' });
  });
});

describe('time', () => {
  test('a request that takes longer than max_request_duration is ended, and answered', async () => {
    engine = await TestEngine.initialized({
      default_max_request_duration: '1h',
      listener: [{ tcp: plain }, { tcp: { ...plain, max_request_duration: '1s' } }],
    });
    const late = await fetch(`http://${engine.addresses[1]}/v1/sys/pprof/profile?seconds=20`, {
      headers: { 'X-Vault-Token': engine.root },
    });
    expect(late.status).toBe(504);
    expect(await late.json()).toEqual({ errors: ['context deadline exceeded'] });
    expect((await engine.call('GET', 'sys/pprof/profile?seconds=2')).status).toBe(200);
  });

  test('an answer that takes longer than http_write_timeout is cut', async () => {
    engine = await TestEngine.initialized({
      listener: [{ tcp: plain }, { tcp: { ...plain, http_write_timeout: '1s' } }],
    });
    const stream = await fetch(`http://${engine.addresses[1]}/v1/sys/monitor`, {
      headers: { 'X-Vault-Token': engine.root },
    });
    await expect(stream.text()).rejects.toThrow();
    expect((await engine.call('GET', 'sys/health')).status).toBe(200);
  });

  test('prometheus_retention_time of 0 turns its format off', async () => {
    engine = await TestEngine.initialized({
      telemetry: { prometheus_retention_time: '0s', disable_hostname: true },
    });
    expect((await engine.call('GET', 'sys/metrics?format=prometheus')).status).toBe(400);
    expect((await engine.call('GET', 'sys/metrics')).status).toBe(200);
  });

  test('cluster_name is what the vault is called', async () => {
    engine = await TestEngine.initialized({ cluster_name: 'east' });
    expect((await engine.call('GET', 'sys/health')).body.cluster_name).toBe('east');
  });
});

describe('the process', () => {
  test('log_file, its rotation, log_format and pid_file do what they say', async () => {
    const folder = join(dir, 'logs');
    mkdirSync(folder);
    const pid = join(dir, 'engine.pid');
    await using process = new DisposableProcess();
    await process.start({
      more: {
        log_file: join(folder, 'engine'),
        log_rotate_bytes: 600,
        log_rotate_max_files: 2,
        log_format: 'standard',
        log_requests_level: 'info',
        pid_file: pid,
      },
    });
    expect(readFileSync(pid, 'utf8').trim()).toBe(String(process.pid));
    for (let times = 0; times < 30; times += 1) await process.call('GET', 'sys/health');
    const files = readdirSync(folder);
    expect(files).toContain('engine.log');
    expect(files.filter((name) => /^engine-\d+\.log$/.test(name))).toHaveLength(2);
    expect(files).toHaveLength(3);
    const text = readFileSync(join(folder, 'engine.log'), 'utf8');
    expect(text).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z \[INFO\]  http: completed request: .*method=GET path=sys\/health/m,
    );
    expect(process.output).toContain('completed request');
    expect(await process.kill('SIGTERM')).toBe(0);
    expect(existsSync(pid)).toBe(false);
  });

  test('a log file that cannot be opened, and a pid file that cannot be written, stop the start by their names', async () => {
    await using process = new DisposableProcess();
    const folder = join(dir, 'folder.log');
    mkdirSync(folder);
    for (const [more, name] of [
      [{ log_file: '/nosuch/folder/x.log' }, 'log_file'],
      [{ log_file: folder }, 'log_file'],
      [{ log_file: 'relative.log' }, 'log_file'],
      [{ pid_file: '/nosuch/folder/pid' }, 'pid_file'],
      [{ log_rotate_bytes: 5 }, 'log_rotate_bytes needs log_file'],
    ] as const) {
      await process.launch({ more });
      expect([name, await process.exit]).toEqual([name, 1]);
      expect(process.output).toContain(name);
      process.output = '';
    }
  });

  test('response headers follow SIGHUP', async () => {
    await using process = new DisposableProcess();
    await process.start();
    const listener = (value: string): object => ({
      listener: [
        {
          tcp: {
            address: `127.0.0.1:${process.port}`,
            tls_disable: true,
            custom_response_headers: { default: { 'X-A': [value] } },
          },
        },
      ],
    });
    const header = async (): Promise<string | null> =>
      (await fetch(`${process.address}/v1/sys/health`)).headers.get('x-a');
    expect(await header()).toBeNull();
    process.configFile({}, 0o600, listener('after'));
    globalThis.process.kill(process.pid, 'SIGHUP');
    await process.until(async () => (await header()) === 'after', 'the new header');
  });

  test.each([
    [['server', '-config=/nosuch', '-nonsense'], 'flag provided but not defined: -nonsense'],
    [
      ['server', '-config=/nosuch', '--exit-on-core-dump=true'],
      'flag provided but not defined: -exit-on-core-dump',
    ],
    [['server', '-dev', '-dev-ha'], 'flag provided but not defined: -dev-ha'],
    [['server', '-dev', '-dev-plugin-dir=/x'], 'flag provided but not defined: -dev-plugin-dir'],
    [['server', '-config'], 'flag needs an argument: -config'],
    [['server', '-dev=perhaps'], 'invalid boolean value for flag -dev'],
    [['server', '-dev', 'extra'], 'too many arguments'],
    [['hsm-agent', '-dev'], 'flag provided but not defined: -dev'],
    [['controller', '-config=x'], 'flag provided but not defined: -config'],
    [['status', '-adress=x'], 'flag provided but not defined: -adress'],
    [['operator', 'generate-root', '-decode=x', '-pgp-key=y'], 'flag provided but not defined: -pgp-key'],
    [['ceremony', 'plan', '--namepsace', 'x'], 'flag provided but not defined: -namepsace'],
  ])('%j is refused by name', (args, message) => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [MAIN, ...args], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect([1, 2]).toContain(status);
    expect(stderr).toContain(message);
    expect(stderr).toContain('Usage: sealedvault');
    expect(stdout).toBe('');
  });

  test('flags of the log count more than variables, and those more than the file', async () => {
    const file = join(dir, 'flags.hcl');
    writeFileSync(
      file,
      'listener "tcp" {\n  address = "127.0.0.1:0"\n  tls_disable = true\n}\nstorage "inmem" {}\nlog_format = "json"\nlog_level = "error"\n',
    );
    chmodSync(file, 0o600);
    const child = spawn(
      process.execPath,
      [MAIN, 'server', '-log-level=debug', '-log-format', 'standard', `-log-file=${dir}/`],
      {
        env: {
          PATH: process.env['PATH'] ?? '',
          VAULT_CONFIG_PATH: `${file},`,
          VAULT_LOG_LEVEL: 'warn',
          VAULT_LOG_FORMAT: 'json',
        },
        stdio: 'ignore',
      },
    );
    try {
      const log = join(dir, 'vault.log');
      for (
        let tries = 0;
        tries < 400 && !(existsSync(log) && readFileSync(log, 'utf8').includes('listening'));
        tries += 1
      )
        await new Promise((resolve) => setTimeout(resolve, 50));
      expect(readFileSync(log, 'utf8')).toMatch(/Z \[INFO\]  listening: address=127\.0\.0\.1:\d+$/m);
    } finally {
      child.kill('SIGKILL');
    }
  });
});

class DisposableProcess extends EngineProcess implements AsyncDisposable {
  constructor() {
    super(makeToken('canary-pin-2Lq'));
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }
}
