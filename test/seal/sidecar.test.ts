import { fork, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createHash, verify } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { frame } from '../../src/engine/seal/pkcs11/frames.ts';
import { type HeldKey, KeyLibrary } from '../../src/engine/seal/pkcs11/key-library.ts';
import { decodeMessage, encodeMessage } from '../../src/engine/seal/pkcs11/message.ts';
import { RemoteHeldKeys } from '../../src/engine/seal/pkcs11/remote-held-keys.ts';
import { runHsmAgent } from '../../src/engine/seal/pkcs11/sidecar.ts';
import type { Seal } from '../../src/engine/seal/seal.ts';
import { utf8 } from '../../src/lib/bytes.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { ecdsaDer } from '../../src/lib/ecdsa-der.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { Secret } from '../../src/lib/secret.ts';
import {
  addToken,
  CONTEXT,
  children,
  configOf,
  makeKey,
  makeSeal,
  makeToken,
  memoryLog,
  SIGNAL,
  SOFTHSM,
  type TestToken,
} from './support.ts';

const call = { signal: SIGNAL };
const timing = { startMs: 10_000, openMs: 10_000, callMs: 2_000 };

let token: TestToken;
let listenPath: string;
let stop: AbortController;
let exit: Promise<number> | undefined;
const log = memoryLog();

beforeEach(() => {
  token = makeToken();
  listenPath = join(token.dir, 'run', 'agent.sock');
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await exit;
  exit = undefined;
  token[Symbol.dispose]();
});

const configText = (): string =>
  `seal "pkcs11" {\n lib = "${SOFTHSM}"\n token_label = "${token.label}"\n key_label = "root"\n generate_key = true\n}`;

function start(
  more: { configText?: string; env?: Record<string, string>; allowGroup?: boolean } = {},
): Promise<number> {
  const env = { ...token.env, VAULT_HSM_PIN: token.pin };
  return runHsmAgent({
    configText: configText(),
    listenPath,
    env,
    log,
    signal: stop.signal,
    timing,
    ...more,
  });
}

const remote = (): Seal & AsyncDisposable => makeSeal({ kind: 'agent', socketPath: listenPath }, { timing });
const opened = async (seal: Seal, blob: Uint8Array): Promise<string> =>
  (await seal.unwrap(blob, CONTEXT, call)).borrow((bytes) => Buffer.from(bytes).toString());

describe('the HSM agent beside the engine', () => {
  test('seals for an engine that knows its socket and nothing else', async () => {
    exit = start();
    await using seal = remote();
    await seal.open({ ...call, allowGenerateKey: true });
    const blob = await seal.wrap(Secret.fromText('root'), CONTEXT, call);
    expect(await opened(seal, blob)).toBe('root');
    expect(await seal.random(32, call)).toHaveLength(32);
    await using second = remote();
    expect(await opened(second, blob)).toBe('root');
    await expect(seal.unwrap(blob, { ...CONTEXT, clusterId: 'x' }, call)).rejects.toMatchObject({
      code: 'ERR_SEAL_BLOB',
    });
    expect(statSync(listenPath).mode & 0o777).toBe(0o600);
    expect(statSync(join(token.dir, 'run')).mode & 0o777).toBe(0o700);
    stop.abort();
    expect(await exit).toBe(0);
    expect(children()).toHaveLength(0);
  });

  test('ends when the engine wants the credentials of today, and is found again with them', async () => {
    exit = start({ env: { ...token.env, VAULT_HSM_PIN: 'not the one' } });
    await using seal = makeSeal({ kind: 'agent', socketPath: listenPath }, { timing });
    await expect(seal.open({ ...call, allowGenerateKey: true })).rejects.toMatchObject({
      code: 'ERR_HSM_PIN_INCORRECT',
    });
    expect(await seal.renewCredentials(call)).toBe(true);
    expect(await exit).toBe(0);
    exit = start();
    await seal.open({ ...call, allowGenerateKey: true });
    expect(seal.health()).toMatchObject({ healthy: true, terminal: false });
    await using own = makeSeal(configOf(token), { timing });
    expect(await own.renewCredentials(call)).toBe(false);
  });

  test('that is restarted is found again, with a fresh log-in and the old values', async () => {
    exit = start();
    await using seal = remote();
    await seal.open({ ...call, allowGenerateKey: true });
    const blob = await seal.wrap(Secret.fromText('root'), CONTEXT, call);
    stop.abort();
    await exit;
    await expect(opened(seal, blob)).rejects.toMatchObject({ code: 'ERR_HSM_AGENT_UNAVAILABLE' });
    expect(seal.health()).toMatchObject({ healthy: false, terminal: false });
    stop = new AbortController();
    exit = start();
    expect(await opened(seal, blob)).toBe('root');
    expect(seal.health().healthy).toBe(true);
  });

  test('replaces a library that hangs, and its engine sees a time-out only', async () => {
    exit = start();
    await using seal = remote();
    await seal.open({ ...call, allowGenerateKey: true });
    const [pid] = children();
    process.kill(pid ?? 0, 'SIGSTOP');
    await expect(seal.random(8, call)).rejects.toMatchObject({ code: 'ERR_HSM_TIMEOUT' });
    expect(await seal.random(8, call)).toHaveLength(8);
  });

  test('tells the engine of a refused PIN, and that it is terminal', async () => {
    exit = start({ env: { ...token.env, VAULT_HSM_PIN: 'wrong-pin' } });
    await using seal = remote();
    for (let i = 0; i < 2; i += 1) {
      await expect(seal.open({ ...call, allowGenerateKey: true })).rejects.toMatchObject({
        code: 'ERR_HSM_PIN_INCORRECT',
        hint: expect.stringContaining('not be tried again'),
      });
    }
    expect(seal.health()).toMatchObject({ terminal: true });
  });

  test('generates no key unless the engine asks for it', async () => {
    exit = start();
    await using seal = remote();
    await expect(seal.open({ ...call, allowGenerateKey: false })).rejects.toMatchObject({
      code: 'ERR_HSM_KEY_NOT_FOUND',
    });
    await seal.open({ ...call, allowGenerateKey: true });
  });

  test('that is killed with SIGKILL leaves a socket which the next one takes over', async () => {
    const agent = await agentProcess();
    await using seal = remote();
    await seal.open({ ...call, allowGenerateKey: true });
    const blob = await seal.wrap(Secret.fromText('root'), CONTEXT, call);
    const inFlight = Promise.allSettled(Array.from({ length: 20 }, () => opened(seal, blob)));
    agent.kill('SIGKILL');
    for (const result of await inFlight) {
      if (result.status === 'rejected')
        expect(result.reason).toMatchObject({ code: 'ERR_HSM_AGENT_UNAVAILABLE' });
      else expect(result.value).toBe('root');
    }
    exit = start();
    expect(await opened(seal, blob)).toBe('root');
  });

  async function agentProcess(): Promise<ChildProcess> {
    const program = join(token.dir, 'agent.mjs');
    const source = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url));
    writeFileSync(
      program,
      `import { runHsmAgent } from ${source('engine/seal/pkcs11/sidecar.ts')};
       const log = { debug() {}, info(_, message) { if (message.endsWith('listening')) process.send('up'); }, warn() {}, error() {}, child() { return log; } };
       await runHsmAgent({ configText: ${JSON.stringify(configText())}, listenPath: ${JSON.stringify(listenPath)},
         env: process.env, log, signal: new AbortController().signal });`,
    );
    const child = fork(program, { env: { ...process.env, ...token.env, VAULT_HSM_PIN: token.pin } });
    await new Promise((resolve) => child.once('message', resolve));
    return child;
  }
});

describe('managed keys behind the HSM agent', () => {
  const keys = (): KeyLibrary & AsyncDisposable => {
    const port = new RemoteHeldKeys({
      socketPath: listenPath,
      clock: systemClock,
      random: systemRandom,
      timing,
    });
    const library = new KeyLibrary(port);
    return Object.assign(library, { [Symbol.asyncDispose]: () => library.close() });
  };
  const pin = 'canary-managed-9Zx';
  const key = (presented = pin): HeldKey => ({
    choice: { tokenLabel: 'keys', keyLabel: 'ca', keyType: 'ec', forceRwSession: false },
    pin: Secret.fromText(presented),
  });
  const order = { scheme: 'ecdsa', hash: 'sha256', saltLength: 0 } as const;
  const digest = createHash('sha256').update('what is signed').digest();
  const serving = (): string => `managed_keys = true\n${configText()}`;

  beforeEach(() => addToken(token.env, pin, 'keys'));

  test('are found, made and used, beside the seal and across a restart', async () => {
    exit = start({ configText: serving() });
    await using library = keys();
    await using seal = remote();
    await seal.open({ ...call, allowGenerateKey: true });
    const { publicKey, generated } = await library.find(key(), { bits: 256, use: 'sign' });
    expect(generated).toBe(true);
    const signature = ecdsaDer(await library.sign(key(), order, digest));
    expect(verify('sha256', Buffer.from('what is signed'), publicKey, signature)).toBe(true);
    stop.abort();
    await exit;
    await expect(library.sign(key(), order, digest)).rejects.toMatchObject({
      code: 'ERR_HSM_AGENT_UNAVAILABLE',
    });
    stop = new AbortController();
    exit = start({ configText: serving() });
    expect((await library.find(key(), undefined)).generated).toBe(false);
    expect(JSON.stringify(log.lines)).not.toContain(pin);
  });

  test('are used by many requests at once, more than the agent lets wait on a connection', async () => {
    exit = start({ configText: serving() });
    await using library = keys();
    await library.find(key(), { bits: 256, use: 'sign' });
    const signed = await Promise.all(Array.from({ length: 40 }, () => library.sign(key(), order, digest)));
    expect(new Set(signed.map((each) => Buffer.from(each).toString('hex'))).size).toBe(40);
    expect(log.lines.filter(({ message }) => message.includes('connection dropped'))).toEqual([]);
  });

  test('never are the key that seals the vault, nor stand beside it under its name', async () => {
    exit = start({ configText: serving() });
    await using library = keys();
    await using seal = remote();
    await seal.open({ ...call, allowGenerateKey: true });
    const sealing = (keyType: 'rsa' | 'ec', keyLabel = 'root'): HeldKey => ({
      choice: { tokenLabel: token.label, keyLabel, keyType, forceRwSession: false },
      pin: Secret.fromText(token.pin),
    });
    const refused = { code: 'ERR_HSM_KEY_UNUSABLE', hint: expect.stringContaining('seals this vault') };
    await expect(library.find(sealing('ec'), { bits: 256, use: 'sign' })).rejects.toMatchObject(refused);
    // A pair of that name would make the key of the seal ambiguous.
    await seal.open({ ...call, allowGenerateKey: false });
    await library.find(sealing('ec', 'other'), { bits: 256, use: 'sign' });
    makeKey(token, 'rsa:2048', 'root', '01');
    const ciphertext = new Uint8Array(256);
    await expect(library.decrypt(sealing('rsa'), 'sha1', ciphertext)).rejects.toMatchObject(refused);
    const { choice, pin: sealPin } = sealing('rsa');
    const { keyLabel: _, ...byId } = { ...choice, keyId: '01' };
    await expect(library.decrypt({ choice: byId, pin: sealPin }, 'sha1', ciphertext)).rejects.toMatchObject(
      refused,
    );
  });

  test('with a wrong PIN say so, and the seal goes on', async () => {
    exit = start({ configText: serving() });
    await using library = keys();
    await using seal = remote();
    await seal.open({ ...call, allowGenerateKey: true });
    await expect(library.find(key('wrong'), undefined)).rejects.toMatchObject({
      code: 'ERR_HSM_PIN_INCORRECT',
    });
    expect(await seal.random(4, call)).toHaveLength(4);
  });

  test('are served only where the agent is told to', async () => {
    exit = start();
    await using library = keys();
    await expect(library.find(key(), undefined)).rejects.toMatchObject({
      code: 'ERR_HSM_AGENT_UNAVAILABLE',
      hint: expect.stringContaining('managed_keys = true'),
    });
    stop.abort();
    await exit;
    stop = new AbortController();
    expect(await start({ configText: `managed_keys = "maybe"\n${configText()}` })).toBe(1);
    exit = undefined;
  });
});

describe('the HSM agent refuses', () => {
  test('a folder that is open to everybody', async () => {
    mkdirSync(join(token.dir, 'run'));
    chmodSync(join(token.dir, 'run'), 0o777);
    expect(await start()).toBe(1);
    expect(log.lines.at(-1)).toMatchObject({
      level: 'error',
      fields: { reason: expect.stringContaining('chmod go-rwx') },
    });
  });

  test('a socket that another agent serves, and a file that is no socket', async () => {
    exit = start();
    await using seal = remote();
    await seal.random(1, call).catch(() => {});
    expect(await start()).toBe(1);
    const file = join(token.dir, 'run', 'file');
    writeFileSync(file, '');
    expect(
      await runHsmAgent({ configText: configText(), listenPath: file, env: {}, log, signal: SIGNAL }),
    ).toBe(1);
  });

  test.each(['seal "pkcs11" {', 'seal "pkcs11" { lib = "x" }', 'seal "pkcs11" {}\nseal "pkcs11" {}', ''])(
    'the configuration %j',
    async (text) => {
      expect(await start({ configText: text })).toBe(1);
    },
  );
});

describe('a bad peer', () => {
  const peer = async (): Promise<Socket> => {
    const socket = connect(listenPath);
    socket.on('error', () => {});
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return socket;
  };
  const closed = (socket: Socket): Promise<void> =>
    new Promise((resolve) => (socket.closed ? resolve() : socket.once('close', () => resolve())));

  test.each<[string, Uint8Array]>([
    ['a length beyond the limit', Uint8Array.of(0xff, 0xff, 0xff, 0xff)],
    ['a head longer than its message', frame(Uint8Array.of(0, 0, 9, 9, 1))],
    ['no JSON', frame(Uint8Array.of(0, 0, 0, 2, 0x7b, 0x7b))],
    ['HTTP', utf8('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['an unknown operation', frame(encodeMessage({ id: 1, op: 'sign' }))],
    ['an operation of the prototype', frame(encodeMessage({ id: 1, op: 'constructor' }))],
    [
      'the parent process only message',
      frame(encodeMessage({ id: 1, op: 'connect', settings: {}, options: {} })),
    ],
    [
      'parts that do not add up',
      frame(encodeMessage({ id: 1, op: 'wrap' }, { x: new Uint8Array(3) }).slice(0, -1)),
    ],
    [
      'too many requests at once',
      Buffer.concat(Array.from({ length: 60 }, (_, id) => frame(encodeMessage({ id, op: 'health' })))),
    ],
  ])('that sends %s is dropped, and others are served', async (_, bytes) => {
    exit = start();
    await using seal = remote();
    await seal.open({ ...call, allowGenerateKey: true });
    const socket = await peer();
    socket.write(bytes);
    await closed(socket);
    expect(await seal.random(4, call)).toHaveLength(4);
  });

  test('that sends half a request and waits blocks nobody', async () => {
    exit = start();
    await using seal = remote();
    await seal.open({ ...call, allowGenerateKey: true });
    const sockets = await Promise.all(Array.from({ length: 10 }, peer));
    for (const socket of sockets) socket.write(Uint8Array.of(0, 0, 1));
    expect(await seal.random(4, call)).toHaveLength(4);
    for (const socket of sockets) socket.destroy();
  });

  test('that asks for an impossible thing gets an error, not the agent down', async () => {
    exit = start();
    await using seal = remote();
    await seal.open({ ...call, allowGenerateKey: true });
    const socket = await peer();
    const answer = new Promise<Buffer>((resolve) => socket.once('data', resolve));
    socket.write(frame(encodeMessage({ id: 7, op: 'random', length: 10_000_000 })));
    const { head } = decodeMessage((await answer).subarray(4));
    expect(head).toMatchObject({ id: 7, error: { code: 'ERR_HSM_AGENT_UNAVAILABLE' } });
    socket.destroy();
    expect(await seal.random(4, call)).toHaveLength(4);
  });
});
