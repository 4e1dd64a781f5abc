import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeToken, SOFTHSM, type TestToken } from '../seal/support.ts';
import { TestEngine } from './support/engine.ts';
import { asOperator, operatorConfig } from './support/operator.ts';

/** A vault goes from one SoftHSM store to another while it serves, by a ceremony and a quorum of recovery shares. */
const dir = mkdtempSync(join(tmpdir(), 'sealedvault-handover-'));
const digest = `sha256:${'d'.repeat(64)}`;
let engine: TestEngine;
let next: TestToken;
let recovery: string[];

beforeAll(async () => {
  next = makeToken('canary-next-pin', 'next');
  engine = await TestEngine.start(operatorConfig(dir));
  const made = await operator('PUT', 'sys/init', { recovery_shares: 3, recovery_threshold: 2 });
  engine.root = made.body.root_token;
  recovery = made.body.recovery_keys;
  await engine.call('POST', 'sys/mounts/kv', { type: 'kv', seal_wrap: true });
  await engine.call('PUT', 'kv/a', { value: 'canary-value' });
});
afterAll(async () => {
  for (const canary of [...recovery, engine.root, next.pin, engine.token.pin, 'canary-value'])
    expect(engine.logLines.join('')).not.toContain(canary);
  await engine.stop();
  next[Symbol.dispose]();
  rmSync(dir, { recursive: true, force: true });
});

const operator = (method: string, path: string, body?: object): ReturnType<typeof asOperator> =>
  asOperator(engine.addresses[1] ?? '', method, path, body);
const backend = async (): Promise<any> => (await engine.call('GET', 'sys/seal-backend-status')).body;
const value = async (): Promise<unknown> => (await engine.call('GET', 'kv/a')).body.data?.value;
const ceremony = async (id: string): Promise<any> => (await engine.call('GET', `sys/ceremony/${id}`)).body;
const block = (token: TestToken, more: object): object => ({
  pkcs11: { lib: SOFTHSM, token_label: token.label, key_label: 'root', ...more },
});
const old = (): object => block(engine.token, { name: 'old', disabled: 'true' });
const both = (more: object = { generate_key: 'true' }): object => ({
  ...operatorConfig(dir),
  migrate_by_ceremony: true,
  seal: [block(next, { name: 'new', ...more }), old()],
});
const env = (): Record<string, string> => ({
  SOFTHSM2_CONF_new: next.conf,
  VAULT_HSM_PIN_new: next.pin,
});
const start = (id: string, more: object = {}): ReturnType<typeof asOperator> =>
  operator('PUT', `sys/ceremony/${id}`, {
    ceremony: { namespace: 'vaults', name: 'to-next' },
    type: 'seal-migration',
    digest,
    ...more,
  });

async function give(id: string, keys: readonly string[]): Promise<any> {
  let last: any;
  for (const key of keys) {
    const { nonce } = await ceremony(id);
    last = await engine.call('POST', `sys/ceremony/${id}/submit`, { nonce, digest, key }, '');
  }
  return last;
}

/** The token of a store is gone while work runs, and back after it. */
async function without(token: TestToken, work: () => Promise<void>): Promise<void> {
  renameSync(token.conf, `${token.conf}.away`);
  try {
    await work();
  } finally {
    renameSync(`${token.conf}.away`, token.conf);
  }
}

test('credentials that the engine holds itself are not read twice, and nobody but the operator asks', async () => {
  expect((await engine.call('PUT', 'sys/hsm-agent/restart')).status).toBe(403);
  const { status, body } = await operator('PUT', 'sys/hsm-agent/restart');
  expect({ status, errors: body.errors }).toEqual({
    status: 400,
    errors: ['this engine holds slot and PIN itself, and does not read them twice: restart it'],
  });
});

describe('a migration of the seal by a ceremony', () => {
  test('needs another HSM in the configuration', async () => {
    const { status, body } = await start('too-early');
    expect(status).toBe(409);
    expect(body.errors[0]).toContain('no migration seal found');
  });

  test('is refused with people who would get shares', async () => {
    const { status, body } = await start('people', { threshold: 1 });
    expect({ status, errors: body.errors }).toEqual({
      status: 400,
      errors: ['seal-migration has no custodians, threshold or requester: shares and holders stay'],
    });
    const other = await start('dry', { type: 'break-glass', dry_run: true });
    expect(other.body.errors).toEqual(['dry_run belongs to seal-migration']);
  });

  test('with both HSMs configured, the vault unseals by the old one and serves', async () => {
    await engine.reconfigure(both(), env());
    await engine.active();
    expect(await value()).toBe('canary-value');
    expect((await engine.call('GET', 'sys/seal-status')).body).toMatchObject({
      migration: false,
      type: 'pkcs11',
    });
  });

  test('also while the new one is away', async () => {
    await without(next, async () => {
      await engine.reboot();
      await engine.active();
      const { status, body } = await start('away');
      expect(status).toBe(500);
      expect(body.errors[0]).toMatch(/^the new seal: /);
      expect(body.errors[0]).not.toContain('the old seal');
    });
    expect(await value()).toBe('canary-value');
  });

  test('a dry run proves both, changes nothing, and says what is missing', async () => {
    const missing = await start('dry-1', { dry_run: true });
    expect(missing.status).toBe(500);
    expect(missing.body.errors[0]).toContain('the new seal: ');
    // A real one makes the key before anybody gives a share; cancelled, nothing else came of it.
    expect((await start('real-1')).body).toMatchObject({
      state: 'collecting',
      seals: { ready: true, to: { key: { label: 'root' } } },
    });
    expect((await operator('DELETE', 'sys/ceremony/real-1')).status).toBe(204);
    const dry = await start('dry-2', { dry_run: true });
    expect(dry.body).toMatchObject({
      state: 'committed',
      progress: 0,
      seals: { ready: true, from: { type: 'pkcs11', proven: true }, to: { type: 'pkcs11', proven: true } },
    });
    expect(dry.body.seals.actions).toHaveLength(2);
    await engine.restart();
    expect((await backend()).backends).toMatchObject([{ name: 'old' }]);
  });

  test('takes a quorum of the holders of today, under nonce and digest', async () => {
    await start('move');
    expect((await give('move', recovery.slice(0, 1))).body).toMatchObject({
      state: 'collecting',
      progress: 1,
    });
    const { nonce } = await ceremony('move');
    const bad = await engine.call('POST', 'sys/ceremony/move/submit', {
      nonce,
      digest: `sha256:${'0'.repeat(64)}`,
      key: recovery[1],
    });
    expect(bad.status).toBe(400);
    // After a restart they are given again, and the vault is still under its old seal.
    await engine.restart();
    expect(await ceremony('move')).toMatchObject({ state: 'collecting', progress: 0 });
  });

  test('does not happen when the new HSM fails at the last moment', async () => {
    await without(next, async () => {
      // Its process loads the library anew, and finds no token.
      await engine.restart();
      const { status, body } = await give('move', recovery.slice(0, 2));
      expect({ status, text: body.errors?.[0] }).toMatchObject({ status: 500 });
      expect(body.errors[0]).toContain('the vault is under its old seal');
    });
    expect((await backend()).backends).toMatchObject([{ name: 'old' }]);
    expect(await value()).toBe('canary-value');
  });

  test('moves everything at once, while values are read and written', async () => {
    await engine.restart();
    const failures: number[] = [];
    let busy = true;
    const load = (async (): Promise<void> => {
      for (let count = 0; busy; count += 1) {
        const put = await engine.call('PUT', `kv/load-${count % 5}`, { count });
        const got = await engine.call('GET', 'kv/a');
        for (const { status } of [put, got]) if (status >= 300) failures.push(status);
      }
    })();
    const { status, body } = await give('move', recovery.slice(1));
    expect({ status, state: body.state }).toEqual({ status: 200, state: 'committed' });
    await expect.poll(async () => (await backend()).fully_wrapped, { timeout: 20_000 }).toBe(true);
    busy = false;
    await load;
    expect(failures).toEqual([]);
    const { backends, key_references: references } = await backend();
    expect(backends).toMatchObject([{ name: 'new', healthy: true }]);
    expect(references.find(({ current }: any) => current)).toMatchObject({ records: 3 });
    expect(references.find(({ current }: any) => !current)).toMatchObject({
      records: 0,
      safe_to_delete: true,
    });
    // The same request again is the same ceremony.
    expect((await start('move')).body).toMatchObject({ state: 'committed' });
    expect((await start('again')).status).toBe(409);
  });

  test('starts again by the new HSM, with and without the old one', async () => {
    await engine.restart();
    expect((await backend()).backends).toMatchObject([{ name: 'new' }]);
    await engine.call('PUT', 'sys/seal');
    for (const key of recovery.slice(0, 2)) await engine.call('PUT', 'sys/unseal', { key }, '');
    await engine.active();
    await without(engine.token, async () => {
      await engine.reconfigure(
        { ...operatorConfig(dir), seal: block(next, {}) },
        { SOFTHSM2_CONF: next.conf, VAULT_HSM_PIN: next.pin },
      );
      await engine.active();
      expect(await value()).toBe('canary-value');
      const { nonce } = (await engine.call('PUT', 'sys/generate-root/attempt', {})).body;
      let last: any;
      for (const key of recovery.slice(0, 2))
        last = await engine.call('PUT', 'sys/generate-root/update', { key, nonce });
      expect(last.body.complete).toBe(true);
    });
  });
});
