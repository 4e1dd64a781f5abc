import { readFileSync, renameSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeKey, makeToken, SOFTHSM, type TestToken } from '../seal/support.ts';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
let second: TestToken;
let shares: string[];

const stanza = (token: TestToken, name: string, priority: number): object => ({
  pkcs11: {
    lib: SOFTHSM,
    token_label: token.label,
    key_label: `key-${name}`,
    generate_key: 'true',
    name,
    priority,
    health_check_interval: '1s',
    health_check_interval_unhealthy: '1s',
  },
});
const environment = (): Record<string, string> => ({
  VAULT_HSM_PIN_second: second.pin,
  SOFTHSM2_CONF_second: second.conf,
});
const both = (): object => ({ seal: [stanza(engine.token, 'first', 1), stanza(second, 'second', 2)] });
const firstOnly = (): object => ({ seal: [stanza(engine.token, 'first', 1)] });

beforeAll(async () => {
  second = makeToken('canary-second-pin', 'other');
  engine = await TestEngine.start((token: TestToken) => ({ seal: [stanza(token, 'first', 1)] }));
  const made = await engine.call('PUT', 'sys/init', { recovery_shares: 3, recovery_threshold: 2 });
  engine.root = made.body.root_token;
  shares = made.body.recovery_keys;
  await engine.call('POST', 'sys/mounts/kv', { type: 'kv', seal_wrap: true });
  await engine.call('PUT', 'kv/a', { value: 'canary-value' });
});
afterAll(async () => {
  for (const canary of [engine.token.pin, second.pin, engine.root, 'canary-value', ...shares])
    expect(engine.logLines.join('')).not.toContain(canary);
  await engine.stop();
  second[Symbol.dispose]();
});

const status = async (): Promise<any> =>
  (await engine.call('GET', 'sys/seal-backend-status', undefined, '')).body;
const value = async (): Promise<unknown> => (await engine.call('GET', 'kv/a')).body.data?.value;

async function without(token: TestToken, work: () => Promise<void>): Promise<void> {
  renameSync(token.tokens, `${token.tokens}-gone`);
  for (const pid of children()) process.kill(pid, 'SIGKILL');
  try {
    await work();
  } finally {
    renameSync(`${token.tokens}-gone`, token.tokens);
  }
}

// The agents: a library that is loaded already does not notice that its tokens are gone.
function children(): number[] {
  const text = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

async function makeRootToken(): Promise<boolean> {
  const { nonce } = (await engine.call('PUT', 'sys/generate-root/attempt', {})).body;
  let last: any;
  for (const key of shares.slice(0, 2))
    last = await engine.call('PUT', 'sys/generate-root/update', { key, nonce });
  return last.body.complete === true;
}

describe('several HSMs', () => {
  test('a second one is added: everything gets a part of it, and it says so', async () => {
    // Its key is made beforehand: an existing vault generates none.
    makeKey(second, 'AES:32', 'key-second', '99');
    await engine.reconfigure(both(), environment());
    await engine.active();
    await expect.poll(async () => (await status()).fully_wrapped, { timeout: 20_000 }).toBe(true);
    const { backends, key_references: references, healthy } = await status();
    expect(healthy).toBe(true);
    expect(backends).toMatchObject([
      { name: 'first', healthy: true, configured: true },
      { name: 'second', healthy: true, configured: true },
    ]);
    expect(references).toMatchObject([
      { label: 'key-first', current: true, records: 3 },
      { label: 'key-second', current: true, records: 3 },
    ]);
  });

  test.each(['first', 'second'])('a restart without the %s one unseals, and quorums work', async (name) => {
    await without(name === 'first' ? engine.token : second, async () => {
      await engine.restart();
      expect(await value()).toBe('canary-value');
      expect(await makeRootToken()).toBe(true);
      const { healthy, backends, next_restart_would_fail: wouldFail } = await status();
      expect({ healthy, wouldFail }).toEqual({ healthy: false, wouldFail: false });
      expect(backends.find((each: any) => each.name === name).healthy).toBe(false);
      expect(backends.find((each: any) => each.name !== name).healthy).toBe(true);
    });
    await expect.poll(async () => (await status()).healthy, { timeout: 20_000 }).toBe(true);
  });

  test('what is written without one is given to it when it is back', async () => {
    await without(second, async () => {
      await expect.poll(async () => (await status()).healthy, { timeout: 20_000 }).toBe(false);
      expect((await engine.call('POST', 'sys/rotate/root')).status).toBe(204);
      expect((await status()).fully_wrapped).toBe(false);
      expect((await engine.call('PUT', 'kv/b', { value: 1 })).status).toBe(204);
    });
    await expect.poll(async () => (await status()).fully_wrapped, { timeout: 30_000 }).toBe(true);
    await without(engine.token, async () => {
      await engine.restart();
      expect(await value()).toBe('canary-value');
    });
  });

  test('one is taken away: nothing names it any more', async () => {
    await engine.reconfigure(firstOnly());
    await engine.active();
    await expect.poll(async () => (await status()).fully_wrapped, { timeout: 20_000 }).toBe(true);
    expect((await status()).key_references).toMatchObject([
      { label: 'key-first', records: 3 },
      { label: 'key-second', records: 0, safe_to_delete: true },
    ]);
    expect(await value()).toBe('canary-value');
  });

  test('all of them away: the vault stays sealed until one is back', async () => {
    await engine.reconfigure(both(), environment());
    await engine.active();
    await expect.poll(async () => (await status()).fully_wrapped, { timeout: 20_000 }).toBe(true);
    await without(engine.token, () =>
      without(second, async () => {
        await engine.reboot();
        expect((await engine.call('GET', 'sys/health')).status).toBe(503);
      }),
    );
    await engine.active();
    expect(await value()).toBe('canary-value');
  });
});
