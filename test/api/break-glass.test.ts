import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { proveShare } from '../../src/ceremony/share-proof.ts';
import { possessionText } from '../../src/ceremony/statement.ts';
import { Secret } from '../../src/lib/secret.ts';
import { getJson, jsonPut } from '../../src/engine/logical/storage.ts';
import { makeToken, SOFTHSM, type TestToken } from '../seal/support.ts';
import { TestEngine } from './support/engine.ts';
import { asOperator, operatorConfig } from './support/operator.ts';
import { makePerson, type Person } from './support/person.ts';

const dir = mkdtempSync(join(tmpdir(), 'sealedvault-break-glass-'));
const names = ['ada', 'grace', 'joan'];
const canaries: string[] = [];
let engine: TestEngine;
let next: TestToken;
let people: Record<string, Person>;
let recovery: string[];
let glass: string[] = [];

beforeAll(async () => {
  people = Object.fromEntries(
    (await Promise.all(names.map((name) => makePerson(name)))).map((person) => [person.name, person]),
  );
  next = makeToken('canary-next-pin', 'next');
  engine = await TestEngine.start(operatorConfig(dir));
  const made = await operator('PUT', 'sys/init', { recovery_shares: 3, recovery_threshold: 2 });
  engine.root = made.body.root_token;
  recovery = made.body.recovery_keys;
  await engine.call('POST', 'sys/mounts/kv', { type: 'kv', seal_wrap: true });
  await engine.call('PUT', 'kv/a', { value: 'canary-value' });
});
afterAll(async () => {
  for (const canary of [...canaries, ...recovery, engine.root, next.pin, 'canary-value'])
    expect(engine.logLines.join('')).not.toContain(canary);
  await engine.stop();
  next[Symbol.dispose]();
  rmSync(dir, { recursive: true, force: true });
});

const operator = (method: string, path: string, body?: object): ReturnType<typeof asOperator> =>
  asOperator(engine.addresses[1] ?? '', method, path, body);
const backend = async (): Promise<any> => (await engine.call('GET', 'sys/seal-backend-status')).body;
const value = async (): Promise<unknown> => (await engine.call('GET', 'kv/a')).body.data?.value;
const digest = `sha256:${'e'.repeat(64)}`;

async function begin(
  id: string,
  custodians: readonly string[],
  threshold: number,
  type = 'break-glass',
): Promise<void> {
  const begun = await operator('PUT', `sys/ceremony/${id}`, {
    ceremony: { namespace: 'vaults', name: 'glass' },
    type,
    digest,
    threshold,
    custodians: custodians.map((name) => ({ name, pgp_key: people[name]?.publicKey })),
  });
  expect(begun.status).toBe(200);
  for (const key of recovery.slice(0, 2)) {
    const { nonce } = (await engine.call('GET', `sys/ceremony/${id}`)).body;
    expect((await engine.call('POST', `sys/ceremony/${id}/submit`, { nonce, digest, key })).status).toBe(200);
  }
}

/** The new shares of a ceremony, in hex. */
async function sharesOf(id: string): Promise<string[]> {
  const { shares } = (await operator('GET', `sys/ceremony/${id}/messages`)).body;
  const opened = await Promise.all(names.map(async (name) => (await people[name]?.open(shares[name])) ?? ''));
  canaries.push(...opened);
  return opened;
}

function prove(id: string, custodian: string, share = ''): ReturnType<TestEngine['call']> {
  using secret = Secret.own(new Uint8Array(Buffer.from(share, 'hex')));
  const text = possessionText({ namespace: 'vaults', name: 'glass', uid: id, digest }, custodian);
  return engine.call('POST', `sys/ceremony/${id}/prove`, { custodian, proof: proveShare(secret, text) });
}

/** Turns the seal on; the shares, in hex. */
async function turnOn(id: string): Promise<string[]> {
  await begin(id, names, 2);
  const opened = await sharesOf(id);
  for (const [index, custodian] of names.entries())
    expect((await prove(id, custodian, opened[index])).status).toBe(200);
  expect((await engine.call('GET', `sys/ceremony/${id}`)).body.state).toBe('committed');
  await expect.poll(async () => (await backend()).fully_wrapped, { timeout: 20_000 }).toBe(true);
  return opened;
}

async function unsealWith(keys: readonly string[], more: object = { migrate: true }): Promise<any> {
  let last: any;
  for (const key of keys) last = await engine.call('PUT', 'sys/unseal', { key, ...more }, '');
  return last;
}

const lost = 'seal "break-glass" is asked instead of the HSM that is lost';
const onNext = (token: TestToken): object => ({
  pkcs11: { lib: SOFTHSM, token_label: token.label, key_label: 'root', generate_key: 'true' },
});
const onNextEnv = (): Record<string, string> => ({ SOFTHSM2_CONF: next.conf, VAULT_HSM_PIN: next.pin });
const peopleOnly = { 'break-glass': { disabled: 'true' } };

describe('the break-glass seal', () => {
  test('is off until a ceremony turns it on: without it, shares open nothing', async () => {
    expect((await backend()).backends.map(({ name }: any) => name)).toEqual(['pkcs11']);
    await engine.reconfigure({ ...operatorConfig(dir), seal: [peopleOnly, onNext(next)] }, onNextEnv());
    const answer = await unsealWith(recovery.slice(0, 2));
    expect({ status: answer.status, sealed: answer.body.sealed, lost }).toMatchObject({ status: 400 });
    await engine.reconfigure(operatorConfig(dir));
    await engine.active();
  });

  test('is loud: status, and the list of who can open the vault', async () => {
    glass = await turnOn('on-1');
    const { backends, key_references: references } = await backend();
    expect(backends.map(({ name }: any) => name)).toEqual(['pkcs11', 'break-glass']);
    expect(references).toMatchObject([
      { label: 'root', records: 3 },
      { label: 'break-glass', mechanism: 'X25519', current: true, records: 3 },
    ]);
    const { break_glass: who } = (await operator('GET', 'sys/recovery-shares')).body;
    expect(who).toMatchObject({ threshold: 2, holders: names.map((name) => ({ name })) });
    expect(engine.logLines.join('')).toContain('can open this vault without its HSM');
  });

  test('waits under a purpose of its own: in the place of the recovery key it opens nothing', async () => {
    const { barrier } = engine.vault;
    await begin('glass-waiting', names, 2);
    const waiting = await getJson<any>(barrier, 'core/ceremony');
    expect(waiting.pending.purpose).toBe('pending-break-glass-key');
    await operator('DELETE', 'sys/ceremony/glass-waiting');

    await begin('rotate-1', names, 2, 'rotate-recovery');
    const shares = await sharesOf('rotate-1');
    for (const name of ['ada', 'grace']) await prove('rotate-1', name, shares[names.indexOf(name)]);
    const record = await getJson<any>(barrier, 'core/ceremony');
    expect(record.pending.purpose).toBe('pending-recovery-key');
    for (const purpose of ['pending-recovery-key', 'pending-break-glass-key', undefined]) {
      const pending = { ...record.pending, blob: waiting.pending.blob, purpose };
      await barrier.write([jsonPut('core/ceremony', { ...record, pending })]);
      expect((await prove('rotate-1', 'joan', shares[2])).status).toBe(500);
      expect((await engine.call('GET', 'sys/ceremony/rotate-1')).body.state).toBe('proving');
    }
    await operator('DELETE', 'sys/ceremony/rotate-1');
  });

  test('follows the root key, and new keys of the HSM', async () => {
    expect((await engine.call('POST', 'sys/rotate/root')).status).toBe(204);
    await engine.restart();
    expect((await backend()).fully_wrapped).toBe(true);
    expect(await value()).toBe('canary-value');
  });

  test('opens the vault for another HSM when a quorum gives its shares, and is off then', async () => {
    await engine.reconfigure({ ...operatorConfig(dir), seal: [peopleOnly, onNext(next)] }, onNextEnv());
    expect((await engine.call('GET', 'sys/seal-status')).body).toMatchObject({
      sealed: true,
      migration: true,
      t: 2,
    });
    expect((await unsealWith([glass[0] ?? '', recovery[0] ?? ''])).status).toBe(400);
    expect((await unsealWith(recovery.slice(0, 2))).status).toBe(400);
    const rehearsal = await unsealWith(glass.slice(1), { migrate: true, dry_run: true });
    expect(rehearsal.body).toMatchObject({ sealed: true });
    expect((await unsealWith([glass[0] ?? '', glass[2] ?? ''])).body).toMatchObject({ sealed: false });
    await engine.active();
    expect(await value()).toBe('canary-value');
    const { backends, key_references: references } = await backend();
    expect(backends.map(({ name }: any) => name)).toEqual(['pkcs11']);
    expect(references.find(({ label }: any) => label === 'break-glass')).toBeUndefined();
    expect((await operator('GET', 'sys/recovery-shares')).body.break_glass).toBeUndefined();
  });

  test('with the old block left in the configuration, the vault goes on by its new HSM', async () => {
    await engine.restart();
    expect(await value()).toBe('canary-value');
    // The recovery shares are what they were.
    const { nonce } = (await engine.call('PUT', 'sys/generate-root/attempt', {})).body;
    let last: any;
    for (const key of recovery.slice(0, 2))
      last = await engine.call('PUT', 'sys/generate-root/update', { key, nonce });
    expect(last.body.complete).toBe(true);
    await engine.reconfigure({ ...operatorConfig(dir), seal: [onNext(next)] }, onNextEnv());
    await engine.active();
  });

  test('is turned off by a ceremony: everything loses the part for people', async () => {
    const used = await turnOn('on-2');
    await begin('off-1', [], 0);
    await expect.poll(async () => (await backend()).fully_wrapped, { timeout: 20_000 }).toBe(true);
    const { backends, key_references: references } = await backend();
    expect(backends.map(({ name }: any) => name)).toEqual(['pkcs11']);
    expect(references).toMatchObject([
      { label: 'root' },
      { label: 'break-glass', records: 0, safe_to_delete: true },
    ]);
    await engine.reconfigure({ ...operatorConfig(dir), seal: [peopleOnly, onNext(next)] }, onNextEnv());
    await engine.active();
    expect(await value()).toBe('canary-value');
    expect(used).toHaveLength(3);
  });

  test('opens the vault for shares alone when there is no HSM at all', async () => {
    await engine.reconfigure({ ...operatorConfig(dir), seal: [onNext(next)] }, onNextEnv());
    await engine.active();
    glass = await turnOn('on-3');
    await engine.reconfigure({ ...operatorConfig(dir), seal: [peopleOnly] });
    expect((await unsealWith(glass.slice(0, 2))).body).toMatchObject({ sealed: false, type: 'shamir' });
    expect(await value()).toBe('canary-value');
    await engine.reconfigure({ ...operatorConfig(dir), seal: [] });
    expect((await unsealWith(glass.slice(1), {})).body).toMatchObject({ sealed: false });
    expect(await value()).toBe('canary-value');
  });
});
