import { renameSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseSealHealth } from '../../src/engine/config-seal-health.ts';
import { calls, fault, FaultLibrary } from '../seal/fault-library.ts';
import { pkcs11Tool, type TestToken } from '../seal/support.ts';
import { TestEngine } from './support/engine.ts';

let library: FaultLibrary;
let engine: TestEngine;
beforeAll(() => {
  library = new FaultLibrary();
});
afterAll(() => library.remove());
afterEach(async () => {
  const log = engine.logLines.join('');
  for (const canary of [engine.token.pin, engine.root, 'changed-pin-77'])
    if (canary !== '') expect(log).not.toContain(canary);
  await engine.stop();
});

/** An engine that looks at its seal every second, through the library that can be told to fail. */
const watching = (stanza: Record<string, string> = {}) => ({
  more: (token: TestToken) => ({
    seal: {
      pkcs11: {
        ...library.on(token),
        token_label: token.label,
        key_label: 'root',
        generate_key: 'true',
        health_check_interval: '1s',
        ...stanza,
      },
    },
  }),
});
const status = async (): Promise<any> =>
  (await engine.call('GET', 'sys/seal-backend-status', undefined, '')).body;
const until = async (wanted: object): Promise<any> => {
  await expect.poll(status, { timeout: 20_000, interval: 100 }).toMatchObject(wanted);
  return status();
};
const logged = (message: string): number =>
  engine.logLines.filter((line) => JSON.parse(line).msg === message).length;

describe('the status of what seals', () => {
  test('is told without a token in every state, in the form of Vault Enterprise', async () => {
    engine = await TestEngine.start();
    const backend = { name: 'pkcs11', healthy: false, configured: false, disabled: false };
    expect(await status()).toEqual({ healthy: false, fully_wrapped: true, backends: [backend] });
    const made = await engine.call('PUT', 'sys/init', { recovery_shares: 1, recovery_threshold: 1 });
    engine.root = made.body.root_token;
    const active = await status();
    expect(active).toMatchObject({
      healthy: true,
      fully_wrapped: true,
      backends: [{ ...backend, healthy: true, configured: true }],
      next_restart_would_fail: false,
      key: { label: 'root', mechanism: 'CKM_AES_GCM', strong: true, warnings: [] },
      key_references: [{ label: 'root', current: true, records: 3, safe_to_delete: false }],
    });
    expect(active).not.toHaveProperty('unhealthy_since');
    await engine.call('PUT', 'sys/seal');
    const sealed = await status();
    expect(sealed).toMatchObject({ healthy: true, backends: [{ healthy: true, configured: true }] });
    expect(sealed).not.toHaveProperty('next_restart_would_fail');
    expect(
      (await engine.call('HEAD', 'sys/seal-backend-status', undefined, '').catch(() => ({ status: 0 })))
        .status,
    ).not.toBe(404);
    expect((await engine.call('PUT', 'sys/seal-backend-status', {}, '')).status).toBe(405);
  });

  test('has a name when the stanza gives one, and no HSM under a Shamir seal', async () => {
    engine = await TestEngine.start({ seal: [] });
    expect(await status()).toEqual({
      healthy: true,
      fully_wrapped: true,
      backends: [{ name: 'shamir', healthy: true, configured: true, disabled: false }],
    });
  });
});

describe('an HSM that goes away', () => {
  test('is seen while the vault goes on, and so is its return within two seconds', async () => {
    engine = await TestEngine.initialized(watching({ name: 'vault-hsm' }).more);
    await engine.call('POST', 'sys/mounts/kv', { type: 'kv' });
    await engine.call('PUT', 'kv/a', { b: 'c' });
    const repairs = logged('seal: the HSM works again');
    renameSync(engine.token.tokens, `${engine.token.tokens}.away`);
    const broken = await until({
      healthy: false,
      backends: [{ name: 'vault-hsm', healthy: false }],
      next_restart_would_fail: true,
    });
    expect(broken.unhealthy_since).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(broken.next_restart_reason).toMatch(/^ERR_HSM_/);
    expect((await engine.call('GET', 'sys/health')).status).toBe(200);
    expect((await engine.call('GET', 'kv/a')).body.data).toEqual({ b: 'c' });
    const metrics = (await engine.call('GET', 'sys/metrics')).body;
    const gauge = metrics.Gauges.find(({ Name }: any) => Name === 'vault.seal.unreachable.time');
    expect(gauge.Value).toBeGreaterThan(0);
    const counters = metrics.Counters.map(({ Name }: any) => Name);
    for (const name of ['vault.seal.encrypt', 'vault.seal.pkcs11.decrypt', 'vault.seal.encrypt.error'])
      expect(counters).toContain(name);
    expect(metrics.Samples.map(({ Name }: any) => Name)).toContain('vault.seal.decrypt.time');

    renameSync(`${engine.token.tokens}.away`, engine.token.tokens);
    await expect
      .poll(status, { timeout: 2_000, interval: 50 })
      .toMatchObject({ healthy: true, next_restart_would_fail: false });
    expect(await status()).not.toHaveProperty('unhealthy_since');
    expect(logged('seal: the HSM works again')).toBe(repairs + 1);
    expect(logged('a restart would not unseal this vault now')).toBe(1);
    expect(logged('a restart would unseal this vault again')).toBe(1);
  });

  test('hangs nobody who does not need it', async () => {
    engine = await TestEngine.initialized(watching({ health_check_timeout: '2s' }).more);
    fault(engine.token, 'C_EncryptInit', 'hang', 1);
    await expect.poll(() => calls(engine.token, 'C_EncryptInit'), { timeout: 10_000 }).toBeGreaterThan(2);
    const from = performance.now();
    expect((await engine.call('GET', 'auth/token/lookup-self')).status).toBe(200);
    await status();
    expect(performance.now() - from).toBeLessThan(1_500);
    const broken = await until({ healthy: false });
    expect(broken.next_restart_reason).toBe('ERR_HSM_TIMEOUT');
    await until({ healthy: true, next_restart_would_fail: false });
  });

  test('that gives back something else is not believed', async () => {
    engine = await TestEngine.initialized(watching().more);
    fault(engine.token, 'C_Decrypt', 'corrupt', 1_000);
    await until({ healthy: false, next_restart_would_fail: true, next_restart_reason: 'ERR_HSM_SELF_TEST' });
    fault(engine.token, 'C_Decrypt', 'corrupt', 0);
    await until({ healthy: true, next_restart_would_fail: false });
  });

  test('is not looked at when the check is switched off', async () => {
    engine = await TestEngine.initialized(watching({ health_check_enabled: 'false' }).more);
    const before = calls(engine.token, 'C_EncryptInit');
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(calls(engine.token, 'C_EncryptInit')).toBe(before);
  });
});

describe('the next restart', () => {
  test('would fail when the PIN on the token was changed, and the old one is presented once', async () => {
    engine = await TestEngine.initialized(watching({ health_check_interval_unhealthy: '1s' }).more);
    const { token } = engine;
    pkcs11Tool(token, ['--change-pin', '--new-pin', 'changed-pin-77']);
    const broken = await until({ next_restart_would_fail: true });
    expect(broken).toMatchObject({ next_restart_reason: 'ERR_HSM_PIN_INCORRECT' });
    expect(broken.next_restart_message).toContain('refused the PIN');
    const logins = calls(token, 'C_Login');
    for (let round = 0; round < 10; round += 1) {
      await status();
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(calls(token, 'C_Login')).toBe(logins);
    expect((await engine.call('GET', 'sys/health')).status).toBe(200);
  });

  test('would fail when the key was deleted from the token', async () => {
    engine = await TestEngine.initialized(watching().more);
    pkcs11Tool(engine.token, ['--delete-object', '--type', 'secrkey', '--label', 'root']);
    await until({ next_restart_would_fail: true, next_restart_reason: 'ERR_HSM_KEY_NOT_FOUND' });
    expect((await engine.call('GET', 'auth/token/lookup-self')).status).toBe(200);
  });

  test('would fail when only a new process cannot log in', async () => {
    engine = await TestEngine.initialized(watching().more);
    fault(engine.token, 'C_Initialize', 0x30, 1_000);
    const broken = await until({ next_restart_would_fail: true });
    expect(broken).toMatchObject({ healthy: true, next_restart_reason: 'ERR_HSM_OPERATION' });
    fault(engine.token, 'C_Initialize', 0, 0);
    await until({ healthy: true, next_restart_would_fail: false });
  });
});

test('the settings of the check are those of Vault, and what makes no sense is refused', () => {
  expect(parseSealHealth({})).toEqual({
    enabled: true,
    intervalMs: 600_000,
    unhealthyIntervalMs: 60_000,
    timeoutMs: 60_000,
  });
  expect(parseSealHealth({ health_check_interval: '90s', health_check_enabled: 'false' })).toMatchObject({
    enabled: false,
    intervalMs: 90_000,
  });
  for (const bad of [
    { health_check_timeout: 'soon' },
    { health_check_interval: '1ms' },
    { health_check_enabled: 'maybe' },
  ])
    expect(() => parseSealHealth(bad)).toThrow('health_check_');
});
