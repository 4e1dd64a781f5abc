import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { harden } from '../../src/engine/process/harden.ts';
import { children, makeToken } from '../seal/support.ts';
import { until } from '../support/cluster/command.ts';
import { EngineProcess } from './support/process.ts';

const PIN = 'canary-pin-4Rw';
const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
let engine: EngineProcess | undefined;
afterEach(async () => {
  expect(engine?.output ?? '').not.toContain(PIN);
  await engine?.remove();
  engine = undefined;
});

const coreLimit = (pid: number): string =>
  /^Max core file size\s+(\S+\s+\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1] ?? '';
const opens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });

describe('a debugger', () => {
  test.each<[string, string[], Record<string, string>]>([
    ['--inspect', ['--inspect=127.0.0.1:0'], {}],
    ['--inspect-port', ['--inspect-port=127.0.0.1:9339'], {}],
    ['--inspect in NODE_OPTIONS', [], { NODE_OPTIONS: '--no-warnings --inspect=127.0.0.1:0' }],
    ['a heap snapshot by signal', ['--heapsnapshot-signal=SIGUSR2'], {}],
    ['a report with the environment', ['--report-on-signal'], {}],
  ])('by %s is refused by the engine before it reads anything', async (_, flags, env) => {
    engine = new EngineProcess(makeToken(PIN));
    await engine.launch({ nodeFlags: flags, env });
    expect(await engine.exit).toBe(1);
    expect(engine.output).toContain('ERR_PROCESS_UNSAFE');
    expect(engine.output).not.toContain('listening"');
  });

  test.each([
    ['hsm-agent', '-listen=/nowhere/agent.sock'],
    ['server', '-dev'],
  ])('is refused by %s as well', (...args) => {
    const env = { PATH: process.env['PATH'], VAULT_HSM_PIN: PIN };
    const { status, output } = spawnSync(process.execPath, ['--inspect=127.0.0.1:0', MAIN, ...args], {
      env,
    });
    expect(status).toBe(1);
    expect(output.join('')).toContain('ERR_PROCESS_UNSAFE');
    expect(output.join('')).not.toContain(PIN);
  });

  test('is not opened by SIGUSR1, in the engine or in the process that holds the PIN', async () => {
    engine = new EngineProcess(makeToken(PIN));
    await engine.start();
    const counts = { recovery_shares: 1, recovery_threshold: 1 };
    expect((await engine.call('PUT', 'sys/init', counts))?.status).toBe(200);
    const pids = [engine.pid, ...children(engine.pid)];
    expect(pids).toHaveLength(2);
    for (const pid of pids) process.kill(pid, 'SIGUSR1');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await opens(9229)).toBe(false);
    expect([engine.pid, ...children(engine.pid)]).toEqual(pids);
    expect(engine.output).not.toContain('Debugger');
    expect((await engine.call('GET', 'sys/health'))?.status).toBe(200);
  });
});

describe('core dumps', () => {
  test('are forbidden to the engine and to the process that holds the PIN, whatever the machine allows', async () => {
    const started = new EngineProcess(makeToken(PIN));
    engine = started;
    await started.start({ through: ['prlimit', '--core=1048576:1048576'] });
    const [child] = await until('its process', 30_000, () => {
      const found = children(started.pid);
      return found.length > 0 ? found : undefined;
    });
    expect(coreLimit(started.pid)).toMatch(/^0\s+0$/);
    expect(coreLimit(child ?? 0)).toMatch(/^0\s+0$/);
  });

  const limits = (soft: string | undefined, forbids: boolean) => {
    let now = soft;
    return {
      read: () => now,
      forbid: () => {
        if (!forbids) throw new Error('no prlimit');
        now = '0';
      },
    };
  };
  const options = { execArgv: [], env: {}, dev: false };

  test('that cannot be forbidden are refused, and only warned of in dev mode', () => {
    const stubborn = limits('unlimited', false);
    expect(() => harden({ ...options, limits: stubborn })).toThrow(
      expect.objectContaining({ code: 'ERR_PROCESS_UNSAFE', hint: expect.stringContaining('ulimit -c 0') }),
    );
    expect(harden({ ...options, dev: true, limits: stubborn })).toEqual([
      expect.stringContaining('core dumps are enabled'),
    ]);
  });

  test('need nothing where they are off, or where there is no such limit', () => {
    for (const each of [limits('0', false), limits(undefined, false), limits('4096', true)])
      expect(() => harden({ ...options, limits: each })).not.toThrow();
  });
});

test.each(['--inspect', '--inspect_brk=1', '--debug-port=1', '--abort-on-uncaught-exception'])(
  'the flag %s is known',
  (flag) => {
    expect(() => harden({ execArgv: [flag], env: {}, dev: true })).toThrow('would show its memory');
    expect(() => harden({ execArgv: [], env: { NODE_OPTIONS: `--x ${flag}` }, dev: true })).toThrow(
      'would show',
    );
    expect(() =>
      harden({
        execArgv: ['--disable-sigusr1'],
        env: { NODE_OPTIONS: '--max-http-header-size=1' },
        dev: true,
      }),
    ).not.toThrow();
  },
);
