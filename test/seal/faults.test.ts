import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Seal } from '../../src/engine/seal/seal.ts';
import { Secret } from '../../src/lib/secret.ts';
import {
  CONTEXT,
  children,
  configOf,
  makeSeal,
  makeToken,
  memoryLog,
  SIGNAL,
  SOFTHSM,
  type TestToken,
} from './support.ts';

const call = { signal: SIGNAL };
const SPY = '/usr/lib/x86_64-linux-gnu/pkcs11-spy.so';
const secret = (): Secret => Secret.fromText('root key of a test');
const opened = async (seal: Seal, blob: Uint8Array): Promise<string> =>
  (await seal.unwrap(blob, CONTEXT, call)).borrow((bytes) => Buffer.from(bytes).toString());

/** An ended process whose new parent has not waited for it yet does not count. */
function isRunning(pid: number): boolean {
  const lines = execFileSync('ps', ['-o', 'pid=,stat=', '-A']).toString().split('\n');
  return lines.some((line) => {
    const [id, state] = line.trim().split(/\s+/);
    return Number(id) === pid && state?.startsWith('Z') !== true;
  });
}

let token: TestToken;
beforeEach(() => {
  token = makeToken();
});
afterEach(() => token[Symbol.dispose]());

/** The stanza and environment that put OpenSC's recorder between the seal and SoftHSM. */
function spied(): { stanza: Record<string, string>; logins: () => number } {
  const output = join(token.dir, 'spy.log');
  Object.assign(token.env, { PKCS11SPY: SOFTHSM, PKCS11SPY_OUTPUT: output });
  return {
    stanza: { lib: SPY, library_env: 'PKCS11SPY, PKCS11SPY_OUTPUT' },
    logins: () => readFileSync(output, 'utf8').match(/: C_Login$/gm)?.length ?? 0,
  };
}

describe('a wrong PIN', () => {
  test('is presented exactly once, however often the seal is opened', async () => {
    const { stanza, logins } = spied();
    await using seal = makeSeal(configOf(token, { ...stanza, pin: 'wrong-pin-9999' }));
    for (let i = 0; i < 4; i += 1) {
      await expect(seal.open({ ...call, allowGenerateKey: true })).rejects.toMatchObject({
        code: 'ERR_HSM_PIN_INCORRECT',
      });
    }
    await expect(seal.random(8, call)).rejects.toMatchObject({ code: 'ERR_HSM_PIN_INCORRECT' });
    for (const pid of children()) process.kill(pid, 'SIGKILL');
    await expect(seal.open({ ...call, allowGenerateKey: true })).rejects.toMatchObject({
      code: 'ERR_HSM_PIN_INCORRECT',
    });
    expect(logins()).toBe(1);
    expect(seal.health()).toMatchObject({ healthy: false, terminal: true });
  });

  test('that is corrected in its file is tried again, and works', async () => {
    const { stanza, logins } = spied();
    const file = join(token.dir, 'pin');
    writeFileSync(file, 'wrong-pin-9999');
    await using seal = makeSeal(configOf(token, { ...stanza, pin: `file://${file}` }));
    const open = (): Promise<void> => seal.open({ ...call, allowGenerateKey: true });
    await expect(open()).rejects.toMatchObject({ code: 'ERR_HSM_PIN_INCORRECT' });
    await expect(open()).rejects.toMatchObject({ code: 'ERR_HSM_PIN_INCORRECT' });
    writeFileSync(file, token.pin);
    await open();
    expect(seal.health()).toEqual({ healthy: true, terminal: false });
    expect(logins()).toBe(2);
  });

  test('a missing PIN is told before anything is tried', async () => {
    const { stanza, logins } = spied();
    for (const pin of ['', 'file:///nowhere/pin', 'env://NOT_SET']) {
      await using seal = makeSeal(configOf(token, { ...stanza, pin }));
      await expect(seal.open({ ...call, allowGenerateKey: true })).rejects.toMatchObject({
        code: 'ERR_HSM_PIN_MISSING',
      });
    }
    expect(() => logins()).toThrow('ENOENT');
  });

  test('a right PIN is presented once in a life without faults', async () => {
    const { stanza, logins } = spied();
    await using seal = makeSeal(configOf(token, stanza));
    await seal.open({ ...call, allowGenerateKey: true });
    for (let i = 0; i < 5; i += 1) await opened(seal, await seal.wrap(secret(), CONTEXT, call));
    expect(logins()).toBe(1);
  });
});

describe('a PKCS#11 process', () => {
  test('that is killed in the middle of operations is replaced, and no operation fails', async () => {
    await using seal = makeSeal(configOf(token));
    await seal.open({ ...call, allowGenerateKey: true });
    const blob = await seal.wrap(secret(), CONTEXT, call);
    const [pid] = children();
    const running = Promise.all(Array.from({ length: 50 }, () => opened(seal, blob)));
    process.kill(pid ?? 0, 'SIGKILL');
    expect(new Set(await running)).toEqual(new Set(['root key of a test']));
    expect(children()).toHaveLength(1);
    expect(children()).not.toContain(pid);
  });

  test('that hangs is killed at its deadline and replaced', async () => {
    const timing = { startMs: 20_000, openMs: 20_000, callMs: 800 };
    await using seal = makeSeal(configOf(token), { timing });
    await seal.open({ ...call, allowGenerateKey: true });
    const blob = await seal.wrap(secret(), CONTEXT, call);
    const [pid] = children();
    process.kill(pid ?? 0, 'SIGSTOP');
    const from = performance.now();
    await expect(opened(seal, blob)).rejects.toMatchObject({ code: 'ERR_HSM_TIMEOUT' });
    expect(performance.now() - from).toBeLessThan(5_000);
    expect(seal.health()).toMatchObject({
      healthy: false,
      terminal: false,
      lastError: { code: 'ERR_HSM_TIMEOUT' },
    });
    expect(await opened(seal, blob)).toBe('root key of a test');
    expect(seal.health().healthy).toBe(true);
    expect(children()).not.toContain(pid);
  });

  test('does not outlive its seal', async () => {
    const seal = makeSeal(configOf(token));
    await seal.open({ ...call, allowGenerateKey: true });
    expect(children()).toHaveLength(1);
    await seal.close();
    expect(children()).toHaveLength(0);
    await expect(seal.random(8, call)).rejects.toMatchObject({ code: 'ERR_HSM_AGENT_UNAVAILABLE' });
  });

  test('ends when its parent is killed', async () => {
    const program = `
      const { configOf, makeSeal, SIGNAL, children } = await import(${JSON.stringify(join(import.meta.dirname, 'support.ts'))});
      const token = JSON.parse(process.argv[1]);
      const seal = makeSeal(configOf(token));
      await seal.open({ signal: SIGNAL, allowGenerateKey: true });
      console.log(children()[0]);
      process.kill(process.pid, 'SIGKILL');`;
    let output = '';
    try {
      execFileSync(process.execPath, ['--input-type=module', '-e', program, JSON.stringify(token)], {
        stdio: 'pipe',
      });
    } catch (error) {
      output = String(Reflect.get(Object(error), 'stdout'));
    }
    const pid = Number(output.trim());
    expect(pid).toBeGreaterThan(1);
    await expect.poll(() => isRunning(pid), { timeout: 5_000 }).toBe(false);
  });
});

describe('a token', () => {
  test('whose directory vanishes and returns is used again without a restart', async () => {
    const log = memoryLog();
    await using seal = makeSeal(configOf(token), { log });
    await seal.open({ ...call, allowGenerateKey: true });
    const blob = await seal.wrap(secret(), CONTEXT, call);
    renameSync(token.tokens, `${token.tokens}.away`);
    await expect(opened(seal, blob)).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_HSM_/) });
    await expect(opened(seal, blob)).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_HSM_/) });
    expect(seal.health()).toMatchObject({ healthy: false, terminal: false });
    renameSync(`${token.tokens}.away`, token.tokens);
    expect(await opened(seal, blob)).toBe('root key of a test');
    expect(seal.health()).toEqual({ healthy: true, terminal: false });
    const levels = log.lines.filter((line) => line.level !== 'debug').map((line) => line.message);
    expect(levels.filter((message) => message === 'seal: the HSM works again')).toHaveLength(1);
  });
});

describe('a caller', () => {
  test('that gives up is answered at once, and the next call works', async () => {
    await using seal = makeSeal(configOf(token));
    await seal.open({ ...call, allowGenerateKey: true });
    const [pid] = children();
    process.kill(pid ?? 0, 'SIGSTOP');
    const from = performance.now();
    const aborted = seal.random(8, { signal: AbortSignal.timeout(100) });
    await expect(aborted).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    expect(performance.now() - from).toBeLessThan(1_000);
    process.kill(pid ?? 0, 'SIGCONT');
    expect(await seal.random(8, call)).toHaveLength(8);
    await expect(seal.random(8, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
  });

  test('never has its event loop blocked by the HSM', async () => {
    await using seal = makeSeal(configOf(token));
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    await seal.open({ ...call, allowGenerateKey: true });
    const [pid] = children();
    process.kill(pid ?? 0, 'SIGSTOP');
    const pending = seal.random(8, call);
    await new Promise((resolve) => setTimeout(resolve, 700));
    process.kill(pid ?? 0, 'SIGCONT');
    await pending;
    clearInterval(timer);
    expect(longest).toBeLessThan(300);
  });
});
