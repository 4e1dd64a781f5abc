import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeToken, SOFTHSM, type TestToken } from '../seal/support.ts';
import { type Answer, TestEngine } from './support/engine.ts';

/**
 * One vault goes from Shamir to an HSM, to another HSM and back, by real SoftHSM token stores: each has its own
 * configuration file, and its own PKCS#11 process.
 */
const SHAMIR = { seal: { shamir: {} } };
const NOT_PENDING = 'no migration seal found';
const PENDING = 'migrate option not provided and seal migration is pending';

let engine: TestEngine;
let second: TestToken;
let shares: string[] = [];

beforeAll(async () => {
  engine = await TestEngine.start(SHAMIR);
  second = makeToken('canary-pin-second', 'second');
});
afterAll(async () => {
  await engine.stop();
  second[Symbol.dispose]();
});

const first = (more: object = {}): object => ({
  pkcs11: { lib: SOFTHSM, token_label: engine.token.label, key_label: 'root', generate_key: 'true', ...more },
});
const other = (more: object = {}): object => ({
  pkcs11: {
    lib: SOFTHSM,
    token_label: second.label,
    key_label: 'root',
    generate_key: 'true',
    name: 'second',
    ...more,
  },
});
const secondEnv = (): Record<string, string> => ({
  SOFTHSM2_CONF_second: second.conf,
  VAULT_HSM_PIN_second: second.pin,
  // Of another HSM: without the seal's name it must not change what a block says.
  VAULT_HSM_TOKEN_LABEL: 'nowhere',
});

async function unseal(keys: readonly string[], more: object = { migrate: true }): Promise<Answer> {
  let last: Answer | undefined;
  for (const key of keys) last = await engine.call('PUT', 'sys/unseal', { key, ...more }, '');
  if (last === undefined) throw new Error('no keys were given');
  return last;
}

const status = async (): Promise<any> => (await engine.call('GET', 'sys/seal-status')).body;
const secret = async (): Promise<unknown> => (await engine.call('GET', 'kv/a')).body.data;

async function settled(check: (body: any) => boolean): Promise<any> {
  for (let tries = 0; tries < 400; tries += 1) {
    const body = await status();
    if (check(body)) return body;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`seal-status stays ${JSON.stringify(await status())}`);
}

describe('a migration of the seal', () => {
  test('needs another seal in the configuration', async () => {
    const made = await engine.call('PUT', 'sys/init', { secret_shares: 3, secret_threshold: 2 });
    shares = made.body.keys_base64;
    engine.root = made.body.root_token;
    expect((await unseal(shares.slice(0, 1))).body.errors).toEqual([NOT_PENDING]);
    expect((await unseal(shares.slice(0, 1))).status).toBe(400);
    expect((await unseal(shares.slice(0, 2), {})).body).toMatchObject({ sealed: false, migration: false });
    await engine.call('POST', 'sys/mounts/kv', { type: 'kv' });
    await engine.call('PUT', 'kv/a', { canary: 'canary-value-77' });
  });

  test('is shown and waited for, and nothing happens without migrate', async () => {
    await engine.reconfigure({ seal: first() });
    expect(await status()).toMatchObject({
      type: 'shamir',
      sealed: true,
      migration: true,
      recovery_seal: false,
      t: 2,
      n: 3,
    });
    const refused = await unseal(shares.slice(0, 1), {});
    expect([refused.status, refused.body.errors]).toEqual([500, [PENDING]]);
    expect((await engine.call('GET', 'kv/a')).status).toBe(503);
  });

  test('can be rehearsed: both seals prove themselves, and nothing changes', async () => {
    expect((await unseal(shares.slice(0, 1), { dry_run: true })).status).toBe(400);
    expect((await unseal(shares.slice(0, 1), { migrate: true, dry_run: true })).body).toMatchObject({
      sealed: true,
      progress: 1,
    });
    // Shares that were meant for a rehearsal are not taken for the real thing.
    expect((await unseal(shares.slice(1, 2))).status).toBe(400);
    const rehearsed = await unseal(shares.slice(1, 2), { migrate: true, dry_run: true });
    expect(rehearsed.status).toBe(200);
    expect(rehearsed.body).toMatchObject({ sealed: true, migration: true, progress: 0 });
    // A rehearsal generates no key, and says that there is none.
    expect(rehearsed.body.migration_plan).toMatchObject({
      ready: false,
      from: { type: 'shamir', proven: true },
      to: { type: 'pkcs11', proven: false, problem: expect.stringMatching(/key is not on the HSM/) },
      actions: expect.arrayContaining([expect.stringMatching(/unseal key becomes the recovery key/)]),
    });
    expect(await status()).toMatchObject({ type: 'shamir', migration: true });
  });

  test('wrong shares migrate nothing', async () => {
    const wrong = Buffer.from(shares[0] ?? '', 'base64');
    wrong[0] = (wrong[0] ?? 0) ^ 1;
    const refused = await unseal([wrong.toString('base64'), shares[1] ?? '']);
    expect([refused.status, refused.body.errors[0]]).toEqual([
      400,
      expect.stringMatching(/^unable to retrieve stored keys/),
    ]);
    expect(await status()).toMatchObject({ type: 'shamir', migration: true, progress: 0 });
  });

  test('from Shamir to an HSM makes the unseal key the recovery key', async () => {
    const done = await unseal(shares.slice(1));
    expect(done.body).toMatchObject({
      type: 'pkcs11',
      sealed: false,
      migration: false,
      recovery_seal: true,
      recovery_seal_type: 'shamir',
      t: 2,
      n: 3,
    });
    expect(await secret()).toEqual({ canary: 'canary-value-77' });
    await engine.restart();
    expect(await status()).toMatchObject({ type: 'pkcs11', sealed: false, migration: false });
    // The old shares are a quorum of the recovery key now.
    const { nonce } = (await engine.call('PUT', 'sys/generate-root/attempt', {})).body;
    await engine.call('PUT', 'sys/generate-root/update', { key: shares[0], nonce });
    const generated = await engine.call('PUT', 'sys/generate-root/update', { key: shares[2], nonce });
    expect(generated.body.complete).toBe(true);
    expect((await unseal(shares.slice(0, 1))).body.errors).toEqual([NOT_PENDING]);
  });

  test('an HSM that cannot be used is found out before anything is touched', async () => {
    await engine.reconfigure(
      { seal: [first({ disabled: 'true' }), other({ token_label: 'not there' })] },
      secondEnv(),
    );
    expect(await status()).toMatchObject({ type: 'pkcs11', sealed: true, migration: true });
    const refused = await unseal(shares.slice(0, 2));
    expect(refused.status).toBe(500);
    expect(refused.body.errors[0]).toMatch(/not carried out.*no token fits/);
    await engine.reconfigure({ seal: first() });
    await engine.active();
    expect(await secret()).toEqual({ canary: 'canary-value-77' });
  });

  test('from one HSM to another needs both blocks and the recovery shares', async () => {
    await engine.reconfigure({ seal: [first({ disabled: 'true' }), other()] }, secondEnv());
    expect(await settled((body) => body.migration === true)).toMatchObject({
      type: 'pkcs11',
      sealed: true,
      t: 2,
    });
    expect((await unseal(shares.slice(0, 1), {})).status).toBe(500);
    const done = await unseal(shares.slice(0, 2));
    expect(done.body).toMatchObject({ type: 'pkcs11', sealed: false, migration: false });
    expect(await secret()).toEqual({ canary: 'canary-value-77' });
    // With both blocks still there the vault knows that it is done.
    await engine.restart();
    expect(await status()).toMatchObject({ sealed: false, migration: false });
    // The old HSM is not needed any more; the recovery key is of the new one.
    await engine.reconfigure({ seal: other() }, { SOFTHSM2_CONF: second.conf, VAULT_HSM_PIN: second.pin });
    await engine.active();
    const { nonce } = (await engine.call('PUT', 'sys/generate-root/attempt', {})).body;
    await engine.call('PUT', 'sys/generate-root/update', { key: shares[0], nonce });
    const generated = await engine.call('PUT', 'sys/generate-root/update', { key: shares[1], nonce });
    expect(generated.body.complete).toBe(true);
  });

  test('from one key to another on the same token is a migration as well', async () => {
    const env = { SOFTHSM2_CONF: second.conf, VAULT_HSM_PIN: second.pin };
    const seal = [other({ disabled: 'true' }), other({ key_label: 'next', name: 'next' })];
    await engine.reconfigure({ seal }, env);
    await settled((body) => body.migration === true);
    const done = await unseal(shares.slice(0, 2));
    expect(done.body).toMatchObject({ sealed: false, migration: false });
    await engine.restart();
  });

  test('back to Shamir needs the disabled block, and makes the recovery key the unseal key', async () => {
    const env = { SOFTHSM2_CONF: second.conf, VAULT_HSM_PIN: second.pin };
    const retired = other({ key_label: 'next' });
    await engine.reconfigure(SHAMIR, env);
    const impossible = 'cannot seal migrate from "pkcs11" to Shamir, no disabled seal in configuration';
    expect((await status()).warnings[0]).toMatch(impossible);
    const refused = await unseal(shares.slice(0, 1), {});
    expect([refused.status, refused.body.errors]).toEqual([500, [impossible]]);
    await engine.reconfigure({ seal: { pkcs11: { ...Object.values(retired)[0], disabled: 'true' } } }, env);
    expect(await status()).toMatchObject({ type: 'pkcs11', sealed: true, migration: true, t: 2, n: 3 });
    const rehearsed = await unseal(shares.slice(0, 2), { migrate: true, dry_run: true });
    expect(rehearsed.body.migration_plan).toMatchObject({
      ready: true,
      from: { type: 'pkcs11', proven: true },
      to: { type: 'shamir', proven: true },
    });
    const done = await unseal(shares.slice(1));
    expect(done.body).toMatchObject({
      type: 'shamir',
      sealed: false,
      migration: false,
      recovery_seal: false,
      t: 2,
      n: 3,
    });
    await engine.reconfigure(SHAMIR);
    expect((await unseal(shares.slice(0, 2), {})).body).toMatchObject({ type: 'shamir', sealed: false });
    expect(await secret()).toEqual({ canary: 'canary-value-77' });
  });

  test('no log line has a share, a PIN or a secret', () => {
    const logged = engine.logLines.join('');
    for (const canary of [...shares, engine.token.pin, second.pin, 'canary-value-77'])
      expect(logged).not.toContain(canary);
  });
});
