import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Pkcs11Seal } from '../../src/engine/seal/pkcs11/pkcs11.ts';
import { parsePkcs11Config, type Pkcs11Config } from '../../src/engine/seal/pkcs11/config.ts';
import { text } from '../../src/lib/bytes.ts';
import { Secret } from '../../src/lib/secret.ts';
import { until } from '../support/cluster/command.ts';
import {
  CONTEXT,
  configOf,
  makeKey,
  makeSeal,
  makeToken,
  SIGNAL,
  SOFTHSM,
  type TestToken,
} from './support.ts';

/**
 * A token that another process serves over a socket, by the p11-kit of this machine. 0.24 carries RSA and no AES-GCM;
 * 0.25 carries both (test/e2e/vault.test.ts runs that one).
 */
const CLIENT = '/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so';
const call = { signal: SIGNAL };
const timing = { startMs: 10_000, openMs: 10_000, callMs: 2_000 };
const carriesGcm = !/^0\.2[0-4]\./.test(
  execFileSync('dpkg-query', ['-W', '-f', '${Version}', 'p11-kit']).toString(),
);
let token: TestToken;
let socket: string;
let server: ChildProcess | undefined;

beforeEach(async () => {
  token = makeToken();
  socket = join(token.dir, 'p11.sock');
  await serve();
});
afterEach(() => {
  end();
  token[Symbol.dispose]();
});

async function serve(): Promise<void> {
  rmSync(socket, { force: true });
  server = spawn(
    'p11-kit',
    ['server', '-f', '--provider', SOFTHSM, '--name', socket, `pkcs11:token=${token.label}`],
    { env: { PATH: process.env['PATH'], ...token.env }, stdio: 'ignore', detached: true },
  );
  await until('a p11-kit server', 10_000, () => Promise.resolve(existsSync(socket) || undefined), 20);
}

/** The server and the processes that it started for its connections. */
function signal(name: NodeJS.Signals): void {
  if (server?.pid !== undefined) process.kill(-server.pid, name);
}

function end(): void {
  if (server !== undefined) signal('SIGKILL');
  server = undefined;
}

function remote(stanza: Record<string, string> = {}): Pkcs11Config {
  const base = { lib: CLIENT, token_label: token.label, pin: token.pin, key_label: 'root' };
  const rsa = { mechanism: 'CKM_RSA_PKCS_OAEP', rsa_oaep_hash: 'sha1' };
  const env = { PATH: '/usr/bin', P11_KIT_SERVER_ADDRESS: `unix:path=${socket}` };
  return parsePkcs11Config({ ...base, ...rsa, ...stanza }, env).config;
}

async function unwrapped(seal: Pkcs11Seal, blob: Uint8Array): Promise<string> {
  using back = await seal.unwrap(blob, CONTEXT, call);
  return back.borrow(text);
}

describe('a token behind p11-kit', () => {
  test('seals, and what it sealed the token opens by itself, and the other way round', async () => {
    makeKey(token, 'rsa:2048', 'root', '01');
    await using far = makeSeal(remote(), { timing });
    await far.open({ ...call, allowGenerateKey: false });
    await using near = makeSeal(configOf(token, { mechanism: 'CKM_RSA_PKCS_OAEP', rsa_oaep_hash: 'sha1' }));
    await near.open({ ...call, allowGenerateKey: false });
    for (const [by, other] of [
      [far, near],
      [near, far],
    ] as const) {
      using secret = Secret.fromText('the root key');
      expect(await unwrapped(other, await by.wrap(secret, CONTEXT, call))).toBe('the root key');
    }
    expect(await far.random(32, call)).toHaveLength(32);
  });

  test('makes its AES key and seals by AES-GCM, or says that this p11-kit does not carry it', async () => {
    await using far = makeSeal(
      remote({ mechanism: 'CKM_AES_GCM', rsa_oaep_hash: '', generate_key: 'true' }),
      {
        timing,
      },
    );
    const opening = far.open({ ...call, allowGenerateKey: true });
    if (!carriesGcm) {
      await expect(opening).rejects.toMatchObject({
        code: 'ERR_HSM_MECHANISM',
        hint: expect.stringContaining('p11-kit 0.25'),
      });
      return;
    }
    await opening;
    using secret = Secret.fromText('the root key');
    expect(await unwrapped(far, await far.wrap(secret, CONTEXT, call))).toBe('the root key');
  });

  test('whose server is killed is found again when there is another one', async () => {
    makeKey(token, 'rsa:2048', 'root', '01');
    await using far = makeSeal(remote(), { timing });
    await far.open({ ...call, allowGenerateKey: false });
    using secret = Secret.fromText('the root key');
    const blob = await far.wrap(secret, CONTEXT, call);
    end();
    await expect(unwrapped(far, blob)).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_HSM_/) });
    expect(far.health()).toMatchObject({ healthy: false, terminal: false });
    await serve();
    expect(await unwrapped(far, blob)).toBe('the root key');
    expect(far.health().healthy).toBe(true);
  });

  test('whose server hangs ends a call at its deadline, and works again when it goes on', async () => {
    makeKey(token, 'rsa:2048', 'root', '01');
    await using far = makeSeal(remote(), { timing });
    await far.open({ ...call, allowGenerateKey: false });
    using secret = Secret.fromText('the root key');
    const blob = await far.wrap(secret, CONTEXT, call);
    signal('SIGSTOP');
    await expect(unwrapped(far, blob)).rejects.toMatchObject({ code: 'ERR_HSM_TIMEOUT' });
    signal('SIGCONT');
    expect(await unwrapped(far, blob)).toBe('the root key');
  });

  test('without a server says that there is no token, and what to look at', async () => {
    end();
    await using far = makeSeal(remote(), { timing });
    await expect(far.open({ ...call, allowGenerateKey: false })).rejects.toMatchObject({
      code: 'ERR_HSM_TOKEN_NOT_FOUND',
      hint: expect.stringContaining('p11-kit'),
    });
  });
});
