import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, renameSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { children, makeToken } from '../seal/support.ts';
import { EngineProcess } from './support/process.ts';

let engine: EngineProcess;
afterEach(() => engine.remove());

const PIN = 'canary pin "€" 7\'x';

async function initialized(): Promise<string> {
  engine = new EngineProcess(makeToken(PIN));
  await engine.start();
  const answer = await engine.call('PUT', 'sys/init', { recovery_shares: 2, recovery_threshold: 2 });
  expect(answer?.status).toBe(200);
  return answer?.body.root_token;
}

describe('the HSM at start', () => {
  test('a wrong PIN is tried once: the process stays up, sealed, and says what to do', async () => {
    await initialized();
    await engine.kill('SIGTERM');
    await engine.start({ env: { VAULT_HSM_PIN: 'canary-wrong-pin' } });
    await engine.until(
      async () => ((await engine.call('GET', 'sys/seal-status'))?.body.warnings ?? []).length > 0,
      'the warning',
    );
    const status = await engine.call('GET', 'sys/seal-status');
    expect(status).toMatchObject({ status: 200, body: { sealed: true, initialized: true } });
    expect(status?.body.warnings[0]).toMatch(/PIN/);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await engine.call('GET', 'sys/health'))?.status).toBe(503);
    expect(engine.output.match(/the vault stays sealed until the cause is removed/g)).toHaveLength(1);
    expect(engine.output).not.toContain('canary-wrong-pin');
    expect(await engine.kill('SIGTERM')).toBe(0);
  });

  test.each([
    ['a missing library', { lib: '/nowhere/lib.so' }, 'ERR_HSM_LIBRARY'],
    ['what is no library', { lib: '/etc/hostname' }, 'ERR_HSM_LIBRARY'],
    ['a token that is not there', { token_label: 'another' }, 'ERR_HSM_TOKEN_NOT_FOUND'],
    ['a key that is not there', { key_label: 'another', generate_key: 'false' }, 'ERR_HSM_KEY_NOT_FOUND'],
  ])('%s keeps it up and sealed, with the reason', async (_name, seal, code) => {
    await initialized();
    await engine.kill('SIGTERM');
    await engine.start({ seal });
    await engine.until(
      async () => ((await engine.call('GET', 'sys/seal-status'))?.body.warnings ?? []).length > 0,
      'the warning',
    );
    expect((await engine.call('GET', 'sys/health'))?.status).toBe(503);
    expect(engine.output).toContain(code);
  });

  test('an HSM that comes back later unseals the vault without a restart', async () => {
    const token = await initialized();
    await engine.kill('SIGTERM');
    renameSync(engine.token.tokens, `${engine.token.tokens}.away`);
    await engine.start();
    await engine.until(
      async () => ((await engine.call('GET', 'sys/seal-status'))?.body.warnings ?? []).length > 0,
      'the warning',
    );
    renameSync(`${engine.token.tokens}.away`, engine.token.tokens);
    await engine.active();
    expect((await engine.call('GET', 'auth/token/lookup-self', undefined, token))?.status).toBe(200);
    expect((await engine.call('GET', 'sys/seal-status'))?.body.warnings).toBeUndefined();
  });
});

test('a start that fails ends, with the process of the library that was started ahead', async () => {
  engine = new EngineProcess(makeToken(PIN));
  const listener = [{ tcp: { address: '203.0.113.1:8200', tls_disable: true } }];
  await engine.launch({ more: { listener } });
  const { pid } = engine;
  expect(await engine.exit).toBe(1);
  expect(engine.output).toContain('EADDRNOTAVAIL');
  expect(children(pid)).toEqual([]);
});

describe('credentials', () => {
  test('a file with a PIN that others can read is refused with what to do', async () => {
    engine = new EngineProcess(makeToken(PIN));
    await engine.launch({ seal: { pin: PIN }, mode: 0o644 });
    expect(await engine.exit).toBe(1);
    expect(engine.output).toContain('chmod 600');
    expect(engine.output).toContain('VAULT_HSM_PIN');
    expect(engine.output).not.toContain('canary');
  });

  test('the PIN stands in no argument list and no environment but where it was given, nor in the log or the data', async () => {
    const token = await initialized();
    await engine.call('PUT', 'cubbyhole/a', { value: 'canary-value-Kd8' }, token);
    const children = execFileSync('pgrep', ['-P', String(engine.pid)])
      .toString()
      .trim()
      .split('\n');
    expect(children.length).toBeGreaterThan(0);
    for (const pid of [String(engine.pid), ...children])
      expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain('canary');
    for (const pid of children) expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('canary');
    process.kill(engine.pid, 'SIGUSR1');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(engine.output).not.toContain('Debugger listening');
    expect(engine.output).not.toContain('canary');
    expect(engine.output).not.toContain(token);
    const data = readdirSync(`${engine.dir}/data`).map((name) =>
      readFileSync(`${engine.dir}/data/${name}`).toString('latin1'),
    );
    for (const secret of ['canary', token]) expect(data.join('')).not.toContain(secret);
  });
});

describe('kill -9', () => {
  test('at any moment loses nothing that was acknowledged', async () => {
    const token = await initialized();
    await engine.call('POST', 'sys/mounts/secret', { type: 'kv-v2' }, token);
    const acknowledged = new Map<string, number>();
    for (let round = 0; round < 4; round += 1) {
      let running = true;
      const writers = Array.from({ length: 8 }, async (_, writer) => {
        for (let n = 0; running; n += 1) {
          const path = `w${writer}/k${n % 5}`;
          const answer = await engine.call('POST', `secret/data/${path}`, { data: { round, n } }, token);
          if (answer?.status === 200) acknowledged.set(path, answer.body.data.version);
        }
      });
      await new Promise((resolve) => setTimeout(resolve, 150 + 200 * round));
      await engine.kill('SIGKILL');
      running = false;
      await Promise.all(writers);
      await engine.start();
      await engine.active();
      for (const [path, version] of acknowledged) {
        const read = await engine.call('GET', `secret/data/${path}?version=${version}`, undefined, token);
        // A version may have been pushed out by ten later ones, but none may be unknown.
        const metadata = await engine.call('GET', `secret/metadata/${path}`, undefined, token);
        expect(metadata?.body.data.current_version).toBeGreaterThanOrEqual(version);
        if (version > metadata?.body.data.current_version - 10) expect(read?.status).toBe(200);
      }
    }
    expect(acknowledged.size).toBeGreaterThan(0);
  });

  test('during initialization leaves an empty or a whole vault', async () => {
    for (const delay of [0, 5, 15, 30, 60, 120]) {
      const mine = new EngineProcess(makeToken('1234'));
      engine = mine;
      await mine.start();
      const pending = mine.call('PUT', 'sys/init', { recovery_shares: 1, recovery_threshold: 1 });
      await new Promise((resolve) => setTimeout(resolve, delay));
      await mine.kill('SIGKILL');
      const answer = await pending;
      await mine.start();
      const initializedNow = (await mine.call('GET', 'sys/init'))?.body.initialized;
      if (answer?.status === 200) expect(initializedNow).toBe(true);
      if (initializedNow) await mine.active();
      else
        expect(
          (await mine.call('PUT', 'sys/init', { recovery_shares: 1, recovery_threshold: 1 }))?.status,
        ).toBe(200);
      await mine.remove();
    }
    engine = new EngineProcess(makeToken('1234'));
  });

  test('of the HSM agent does not end the engine, and what needs the HSM works again', async () => {
    const token = await initialized();
    execFileSync('pkill', ['-9', '-P', String(engine.pid)]);
    expect((await engine.call('GET', 'auth/token/lookup-self', undefined, token))?.status).toBe(200);
    await engine.kill('SIGTERM');
    await engine.start();
    await engine.active();
  });
});

describe('the process', () => {
  test('SIGTERM lets a running request end and exits with 0', async () => {
    const token = await initialized();
    const slow = engine.call('PUT', 'cubbyhole/a', { v: 'x'.repeat(1_000_000) }, token);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await engine.kill('SIGTERM')).toBe(0);
    expect([204, undefined]).toContain((await slow)?.status);
  });

  test('wrong configuration ends with one clear line', async () => {
    engine = new EngineProcess(makeToken('1234'));
    await engine.launch({ more: { storage: { raft: { path: '/x' } } } });
    expect(await engine.exit).toBe(1);
    expect(engine.output).toContain('use lmdb, file or inmem');
  });

  test('`status` tells sealed from unsealed by its exit code', async () => {
    await initialized();
    const run = (): { code: number; text: string } => {
      try {
        return {
          code: 0,
          text: execFileSync(process.execPath, [
            new URL('../../src/main.ts', import.meta.url).pathname,
            'status',
            `-address=${engine.address}`,
          ]).toString(),
        };
      } catch (error) {
        const failed = error as { status: number; stdout: Buffer };
        return { code: failed.status, text: failed.stdout.toString() };
      }
    };
    expect(run()).toMatchObject({ code: 0, text: expect.stringMatching(/Sealed\s+false/) });
    await engine.kill();
    expect(run().code).toBe(1);
  });
});
