import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { combineShares } from '../../src/ceremony/shares.ts';
import { Secret } from '../../src/lib/secret.ts';
import { TestEngine } from './support/engine.ts';

const home = mkdtempSync(join(tmpdir(), 'gpg-'));
const gpg = (args: string[], input?: string | Buffer): Buffer =>
  execFileSync('gpg', ['--batch', '--quiet', '--homedir', home, '--trust-model', 'always', ...args], {
    input,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
const publicKey = (name: string): string => gpg(['--export', name]).toString('base64');

let engine: TestEngine;
beforeAll(() => {
  for (const name of ['ada', 'grace', 'edith'])
    gpg(['--passphrase', '', '--quick-generate-key', name, 'ed25519/cert', 'default', 'never']);
  for (const name of ['ada', 'grace', 'edith']) {
    const fingerprint =
      /fpr:+([0-9A-F]{40})/.exec(gpg(['--with-colons', '--list-keys', name]).toString())?.[1] ?? '';
    gpg(['--passphrase', '', '--quick-add-key', fingerprint, 'cv25519', 'encr', 'never']);
  }
}, 60_000);
afterAll(() => {
  try {
    execFileSync('gpgconf', ['--homedir', home, '--kill', 'all']);
  } catch {
    // No agent was running.
  }
  rmSync(home, { recursive: true, force: true });
});
afterEach(() => engine.stop());

describe('before initialization', () => {
  test('every status endpoint answers', async () => {
    engine = await TestEngine.start();
    expect(await engine.call('GET', 'sys/init')).toMatchObject({ status: 200, body: { initialized: false } });
    expect(await engine.call('GET', 'sys/health')).toMatchObject({
      status: 501,
      body: { initialized: false, sealed: true },
    });
    expect((await engine.call('GET', 'sys/health?uninitcode=204')).status).toBe(204);
    expect(await engine.call('GET', 'sys/health?uninitcode=ten')).toMatchObject({
      status: 400,
      body: { errors: [] },
    });
    expect(await engine.call('GET', 'sys/seal-status')).toMatchObject({
      status: 200,
      body: {
        type: 'pkcs11',
        initialized: false,
        sealed: true,
        t: 0,
        n: 0,
        progress: 0,
        nonce: '',
        recovery_seal: true,
        recovery_seal_type: 'shamir',
      },
    });
    expect(await engine.call('GET', 'sys/leader')).toMatchObject({
      status: 503,
      body: { errors: ['Vault is sealed'] },
    });
    expect(await engine.call('GET', 'secret/x')).toMatchObject({
      status: 503,
      body: { errors: ['Vault is sealed'] },
    });
    expect((await engine.call('PUT', 'sys/unseal', { key: 'aa' })).status).toBe(400);
  });

  test.each([
    [
      { secret_shares: 5, secret_threshold: 3 },
      'parameters secret_shares,secret_threshold not applicable to seal type pkcs11',
    ],
    [
      { recovery_shares: 3, recovery_threshold: 5 },
      'invalid recovery configuration: threshold cannot be larger than shares',
    ],
    [
      { recovery_shares: 3, recovery_threshold: 1 },
      'invalid recovery configuration: threshold must be greater than one for multiple shares',
    ],
    [
      { recovery_shares: 3, recovery_threshold: 2, recovery_pgp_keys: ['aaa'] },
      'invalid recovery configuration: count mismatch between number of provided PGP keys and number of shares',
    ],
    [
      { recovery_shares: 256, recovery_threshold: 2 },
      'invalid recovery configuration: shares must be less than 256',
    ],
  ])('%j is refused and nothing is initialized', async (body, error) => {
    engine = await TestEngine.start();
    expect(await engine.call('PUT', 'sys/init', body)).toMatchObject({
      status: 400,
      body: { errors: [error] },
    });
    expect((await engine.call('GET', 'sys/init')).body.initialized).toBe(false);
  });
});

describe('initialization', () => {
  test('without PGP keys as Vault does, with a warning; any two shares make the recovery key', async () => {
    engine = await TestEngine.start();
    const { status, body } = await engine.call('PUT', 'sys/init', {
      recovery_shares: 3,
      recovery_threshold: 2,
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      keys: [],
      keys_base64: [],
      root_token: expect.stringMatching(/^hvs\.[A-Za-z0-9]{24}$/),
    });
    expect(body.warnings[0]).toContain('without PGP');
    const shares: string[] = body.recovery_keys;
    expect(shares.map((share) => Buffer.from(share, 'hex').toString('base64'))).toEqual(
      body.recovery_keys_base64,
    );
    const join2 = async (a: number, b: number) =>
      (
        await combineShares(
          [a, b].map((index) => Secret.own(new Uint8Array(Buffer.from(shares[index] ?? '', 'hex')))),
        )
      ).borrow((bytes) => Buffer.from(bytes).toString('hex'));
    const first = await join2(0, 1);
    expect(first).toHaveLength(64);
    expect(await join2(1, 2)).toBe(first);
    expect(await join2(2, 0)).toBe(first);
    expect(await engine.call('PUT', 'sys/init', { recovery_shares: 3, recovery_threshold: 2 })).toMatchObject(
      { status: 400, body: { errors: ['Vault is already initialized'] } },
    );
    expect(await engine.call('GET', 'sys/health')).toMatchObject({
      status: 200,
      body: { initialized: true, sealed: false, standby: false },
    });
    expect(await engine.call('GET', 'sys/seal-status')).toMatchObject({
      body: { sealed: false, t: 2, n: 3 },
    });
  });

  test('with PGP keys, each share and the root token open with gpg only', async () => {
    engine = await TestEngine.start({ require_pgp_shares: true });
    expect((await engine.call('PUT', 'sys/init', { recovery_shares: 1, recovery_threshold: 1 })).status).toBe(
      400,
    );
    const keys = ['ada', 'grace', 'edith'].map(publicKey);
    const request = {
      recovery_shares: 3,
      recovery_threshold: 2,
      recovery_pgp_keys: keys,
      root_token_pgp_key: keys[0],
    };
    const { status, body } = await engine.call('PUT', 'sys/init', request);
    expect(status).toBe(200);
    expect(body.warnings).toBeUndefined();
    const shares = body.recovery_keys_base64.map((message: string) =>
      gpg(['--decrypt'], Buffer.from(message, 'base64')).toString(),
    );
    for (const share of shares) expect(share).toMatch(/^[0-9a-f]{66}$/);
    const token = gpg(['--decrypt'], Buffer.from(body.root_token, 'base64')).toString();
    expect((await engine.call('GET', 'auth/token/lookup-self', undefined, token)).body.data.policies).toEqual(
      ['root'],
    );
    for (const secret of [...shares, token]) expect(engine.logLines.join('')).not.toContain(secret);
  });

  test('the same ceremony gets the same answer again, also after a restart; another one gets nothing', async () => {
    engine = await TestEngine.start({ require_pgp_shares: true });
    const keys = ['ada', 'grace'].map(publicKey);
    const request = {
      recovery_shares: 2,
      recovery_threshold: 2,
      recovery_pgp_keys: keys,
      omit_root_token: true,
      ceremony_id: 'c-1',
    };
    const first = await engine.call('PUT', 'sys/init', request);
    expect(first.status).toBe(200);
    expect(first.body.root_token).toBe('');
    expect((await engine.call('PUT', 'sys/init', request)).body.recovery_keys).toEqual(
      first.body.recovery_keys,
    );
    await engine.restart();
    expect((await engine.call('PUT', 'sys/init', request)).body.recovery_keys).toEqual(
      first.body.recovery_keys,
    );
    for (const other of [
      { ...request, ceremony_id: 'c-2' },
      { ...request, recovery_pgp_keys: keys.toReversed() },
      { ...request, ceremony_id: undefined },
    ]) {
      expect(await engine.call('PUT', 'sys/init', other)).toMatchObject({
        status: 400,
        body: { errors: ['Vault is already initialized'] },
      });
    }
  });

  test('a ceremony that would keep plaintext is refused', async () => {
    engine = await TestEngine.start();
    const answer = await engine.call('PUT', 'sys/init', {
      recovery_shares: 1,
      recovery_threshold: 1,
      ceremony_id: 'c',
    });
    expect(answer.status).toBe(400);
  });

  test('a key that cannot receive a share is refused before anything happens', async () => {
    engine = await TestEngine.start();
    const answer = await engine.call('PUT', 'sys/init', {
      recovery_shares: 1,
      recovery_threshold: 1,
      recovery_pgp_keys: [Buffer.from('no key').toString('base64')],
    });
    expect(answer.status).toBe(400);
    expect(answer.body.errors[0]).toContain('PGP key 1');
    expect((await engine.call('GET', 'sys/init')).body.initialized).toBe(false);
  });

  test('two initializations at once make one vault', async () => {
    engine = await TestEngine.start();
    const request = { recovery_shares: 1, recovery_threshold: 1 };
    const answers = await Promise.all([1, 2, 3].map(() => engine.call('PUT', 'sys/init', request)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test('no recovery shares are made when none are asked for', async () => {
    engine = await TestEngine.start();
    const { body } = await engine.call('PUT', 'sys/init', { recovery_shares: 0, recovery_threshold: 0 });
    expect(body.recovery_keys).toBeUndefined();
    expect((await engine.call('GET', 'sys/health')).status).toBe(200);
  });
});

describe('seal and unseal', () => {
  test('a restart unseals by the HSM and keeps everything', async () => {
    engine = await TestEngine.initialized();
    await engine.call('PUT', 'cubbyhole/a', { v: 1 });
    await engine.restart();
    expect((await engine.call('GET', 'cubbyhole/a')).body.data).toEqual({ v: 1 });
  });

  test('after sys/seal only a quorum of recovery shares opens it', async () => {
    engine = await TestEngine.start();
    const { body } = await engine.call('PUT', 'sys/init', { recovery_shares: 3, recovery_threshold: 2 });
    engine.root = body.root_token;
    expect((await engine.call('PUT', 'sys/seal')).status).toBe(204);
    expect(await engine.call('GET', 'sys/health')).toMatchObject({ status: 503, body: { sealed: true } });
    expect((await engine.call('GET', 'sys/health?sealedcode=299')).status).toBe(299);
    expect((await engine.call('GET', 'cubbyhole/a')).status).toBe(503);
    const share = (index: number) => ({ key: body.recovery_keys[index] });
    const one = await engine.call('PUT', 'sys/unseal', share(0));
    expect(one.body).toMatchObject({ sealed: true, progress: 1 });
    expect(one.body.nonce).not.toBe('');
    expect((await engine.call('PUT', 'sys/unseal', share(0))).body.progress).toBe(1);
    expect((await engine.call('PUT', 'sys/unseal', { reset: true })).body).toMatchObject({
      progress: 0,
      nonce: '',
    });
    expect((await engine.call('PUT', 'sys/unseal', { key: 'zz' })).status).toBe(400);
    expect((await engine.call('PUT', 'sys/unseal', {})).status).toBe(400);
    await engine.call('PUT', 'sys/unseal', share(0));
    const wrong = `${body.recovery_keys[1].slice(0, 4)}00000000${body.recovery_keys[1].slice(12)}`;
    expect((await engine.call('PUT', 'sys/unseal', { key: wrong })).status).toBe(400);
    expect((await engine.call('GET', 'sys/health')).status).toBe(503);
    await engine.call('PUT', 'sys/unseal', { key: body.recovery_keys_base64[2] });
    expect((await engine.call('PUT', 'sys/unseal', share(1))).body).toMatchObject({
      sealed: false,
      progress: 0,
    });
    expect(await engine.call('PUT', 'sys/unseal', { reset: true })).toMatchObject({
      status: 400,
      body: { errors: ['vault is unsealed'] },
    });
    expect((await engine.call('GET', 'auth/token/lookup-self')).status).toBe(200);
  });
});
