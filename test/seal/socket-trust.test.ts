import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parsePkcs11Config } from '../../src/engine/seal/pkcs11/config.ts';
import { runHsmAgent } from '../../src/engine/seal/pkcs11/sidecar.ts';
import { makeSeal, makeToken, memoryLog, SIGNAL, SOFTHSM, type TestToken } from './support.ts';

const isRoot = process.getuid?.() === 0;
const STRANGER = 64_123;
const call = { signal: SIGNAL };
let dir: string;
let path: string;
let server: Server | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trust-'));
  chmodSync(dir, 0o755);
  mkdirSync(join(dir, 'run'), { mode: 0o700 });
  path = join(dir, 'run', 'agent.sock');
});
afterEach(() => {
  server?.close();
  server = undefined;
  rmSync(dir, { recursive: true, force: true });
});

/** Somebody who would like to be sent a root key. */
async function impostor(): Promise<{ connections: () => number }> {
  let connections = 0;
  server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server?.listen(path, resolve));
  return { connections: () => connections };
}

describe('the engine sends nothing to a socket', () => {
  test.each<[string, () => void]>([
    ['in a folder that others can write', () => chmodSync(join(dir, 'run'), 0o777)],
    ['in a folder that a group can write', () => chmodSync(join(dir, 'run'), 0o770)],
    ...(isRoot
      ? ([
          ['of a stranger', () => chownSync(path, STRANGER, STRANGER)],
          ['in the folder of a stranger', () => chownSync(join(dir, 'run'), STRANGER, STRANGER)],
        ] as [string, () => void][])
      : []),
  ])('%s', async (_, spoil) => {
    const { connections } = await impostor();
    spoil();
    await using seal = makeSeal({ kind: 'agent', socketPath: path });
    await expect(seal.open({ ...call, allowGenerateKey: false })).rejects.toMatchObject({
      code: 'ERR_HSM_AGENT_UNAVAILABLE',
      hint: expect.stringContaining("somebody else's"),
    });
    expect(connections()).toBe(0);
  });

  test.runIf(isRoot)('of another user, unless the configuration names that user', async () => {
    const { connections } = await impostor();
    chownSync(path, STRANGER, STRANGER);
    chownSync(join(dir, 'run'), STRANGER, STRANGER);
    const { config, warnings } = parsePkcs11Config(
      { agent_address: `unix://${path}`, agent_uid: String(STRANGER) },
      {},
    );
    expect(warnings).toEqual([]);
    await using seal = makeSeal(config);
    await expect(seal.open({ ...call, allowGenerateKey: false })).rejects.toMatchObject({
      code: 'ERR_HSM_AGENT_UNAVAILABLE',
    });
    expect(connections()).toBeGreaterThan(0);
    expect(() => parsePkcs11Config({ agent_address: 'unix:///x', agent_uid: 'me' }, {})).toThrow('agent_uid');
  });
});

describe('the agent', () => {
  let token: TestToken;
  let stop: AbortController;
  beforeEach(() => {
    token = makeToken();
    stop = new AbortController();
  });
  afterEach(() => token[Symbol.dispose]());

  const run = (allowGroup: boolean, log = memoryLog()): { exit: Promise<number>; log: typeof log } => ({
    log,
    exit: runHsmAgent({
      configText: `seal "pkcs11" {\n lib = "${SOFTHSM}"\n token_label = "seal"\n key_label = "root"\n}`,
      listenPath: path,
      allowGroup,
      env: { ...token.env, VAULT_HSM_PIN: token.pin },
      log,
      signal: stop.signal,
    }),
  });

  test.runIf(isRoot).each([
    [false, 0o600],
    [true, 0o660],
  ])('lets no other user connect (group allowed: %s)', async (allowGroup, mode) => {
    if (allowGroup) chmodSync(join(dir, 'run'), 0o750);
    const { exit, log } = run(allowGroup);
    await expect.poll(() => log.lines.some(({ message }) => message.endsWith('listening'))).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(mode);
    const program = `require('node:net').connect(${JSON.stringify(path)}).on('connect', () => process.exit(0)).on('error', (e) => { console.log(e.code); process.exit(3); })`;
    const as = (uid: number, gid: number) =>
      spawnSync(process.execPath, ['-e', program], { uid, gid, env: {}, encoding: 'utf8' });
    const stranger = as(STRANGER, STRANGER);
    expect([stranger.status, stranger.stdout.trim()]).toEqual([3, 'EACCES']);
    expect(as(STRANGER, 0).status).toBe(allowGroup ? 0 : 3);
    expect(as(0, 0).status).toBe(0);
    stop.abort();
    expect(await exit).toBe(0);
  });

  test('refuses a folder that its group can enter, unless that is asked for', async () => {
    chmodSync(join(dir, 'run'), 0o750);
    const { exit, log } = run(false);
    expect(await exit).toBe(1);
    expect(log.lines.at(-1)?.fields).toMatchObject({ reason: expect.stringContaining('-allow-group') });
  });

  test.runIf(isRoot)('refuses a folder of another user', () => {
    chownSync(join(dir, 'run'), STRANGER, STRANGER);
    const program = `
      const { runHsmAgent } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/engine/seal/pkcs11/sidecar.ts'))});
      const log = { debug() {}, info() {}, warn() {}, error(fields) { console.log(fields.reason); }, child() { return log; } };
      process.setuid(${STRANGER + 1});
      process.exit(await runHsmAgent({ configText: 'seal "pkcs11" { lib = "/x", slot = "0", key_label = "r" }', listenPath: ${JSON.stringify(path)}, env: {}, log, signal: new AbortController().signal }));`;
    const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { env: {} });
    expect(status).toBe(1);
  });
});

test('the library of an agent is never given flags of Node', () => {
  const { config } = parsePkcs11Config(
    { lib: SOFTHSM, slot: '0', key_label: 'k', library_env: 'NODE_OPTIONS,MINE' },
    { NODE_OPTIONS: '--inspect', MINE: 'yes', PATH: '/bin' },
  );
  expect(config).toMatchObject({ libraryEnv: { MINE: 'yes', PATH: '/bin' } });
  expect(
    JSON.stringify(config, (_, value: unknown) => (typeof value === 'bigint' ? 0 : value)),
  ).not.toContain('--inspect');
});
