import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from '../api/support/engine.ts';
import { OpenSsh } from '../api/support/openssh.ts';
import { tokenWith } from './support.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  for (const type of ['transit', 'totp', 'ssh', 'kv'])
    await engine.call('POST', `sys/mounts/${type}`, { type });
  await engine.call('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
});
afterAll(() => engine.stop());

const base64 = (text: string): string => Buffer.from(text).toString('base64');

test('CVE-2023-4680: nobody chooses a nonce but for convergent keys of the first version', async () => {
  const nonce = base64('123456789012');
  const plaintext = base64('canary-plain');
  for (const type of ['aes256-gcm96', 'aes128-gcm96', 'chacha20-poly1305']) {
    await engine.call('POST', `transit/keys/${type}`, { type });
    const results = await Promise.all(
      [1, 2].map(() => engine.call('POST', `transit/encrypt/${type}`, { plaintext, nonce })),
    );
    const made = results.map(({ body }) => body.data?.ciphertext).filter((each) => each !== undefined);
    expect([type, new Set(made).size]).toEqual([type, made.length]);
    for (const text of made)
      expect(Buffer.from(text.split(':')[2], 'base64').subarray(0, 12)).not.toEqual(
        Buffer.from('123456789012'),
      );
    const batch = await engine.call('POST', `transit/encrypt/${type}`, {
      batch_input: [
        { plaintext, nonce },
        { plaintext, nonce },
      ],
    });
    const texts = (batch.body.data?.batch_results ?? [])
      .map((each: any) => each.ciphertext)
      .filter((each: unknown) => each !== undefined);
    expect(new Set(texts).size).toBe(texts.length);
    for (const path of ['datakey/plaintext', 'rewrap']) {
      const answer = await engine.call('POST', `transit/${path}/${type}`, {
        nonce,
        ciphertext: made[0] ?? '',
      });
      const text = answer.body.data?.ciphertext;
      if (text !== undefined)
        expect(Buffer.from(text.split(':')[2], 'base64').subarray(0, 12)).not.toEqual(
          Buffer.from('123456789012'),
        );
    }
    const plain = await engine.call('POST', `transit/encrypt/${type}`, { plaintext });
    expect(
      (await engine.call('POST', `transit/decrypt/${type}`, { ciphertext: plain.body.data.ciphertext })).body
        .data.plaintext,
    ).toBe(plaintext);
  }
});

test('CVE-2026-55776: a key that cannot be derived is refused, and the engine goes on', async () => {
  for (const type of ['rsa-2048', 'rsa-3072', 'ecdsa-p256', 'ecdsa-p384', 'hmac']) {
    const made = await engine.call('POST', `transit/keys/derived-${type}`, { type, derived: true });
    expect([type, made.status]).toEqual([type, 400]);
    await engine.call('POST', `transit/keys/converges-${type}`, {
      type,
      derived: true,
      convergent_encryption: true,
    });
    for (const path of [
      'decrypt',
      'sign',
      'verify',
      'rewrap',
      'hmac',
      'datakey/plaintext',
      'backup',
      'export/encryption-key',
    ])
      expect(
        (await engine.call('POST', `transit/${path}/derived-${type}`, { plaintext: '', input: '' })).status,
      ).toBeGreaterThanOrEqual(400);
  }
  const all = Array.from({ length: 20 }, () =>
    engine.call('POST', 'transit/keys/same', { type: 'rsa-2048', derived: true }),
  );
  for (const { status } of await Promise.all(all)) expect(status).toBe(400);
  expect((await engine.call('POST', 'transit/keys/after', { type: 'rsa-2048' })).status).toBe(200);
});

test('CVE-2025-6014 CVE-2025-55000 CVE-2025-6016: a code is good once, in one form, and short of guesses', async () => {
  await engine.call('POST', 'totp/keys/k', { generate: true, issuer: 'V', account_name: 'a', skew: 1 });
  const check = async (code: string): Promise<boolean> =>
    (await engine.call('POST', 'totp/code/k', { code })).body.data?.valid === true;
  const code: string = (await engine.call('GET', 'totp/code/k')).body.data.code;
  expect(await check(code)).toBe(true);
  for (const form of [
    code,
    ` ${code}`,
    `${code} `,
    `${code.slice(0, 3)} ${code.slice(3)}`,
    `${code}\n`,
    `\u00a0${code}`,
    `0${code}`,
    code.slice(1),
    `+${code}`,
    `${code}.0`,
  ])
    expect([form, await check(form)]).toEqual([form, false]);
  // The same code many times at once is one use.
  await engine.call('POST', 'totp/keys/p', { generate: true, issuer: 'V', account_name: 'p' });
  const { code: other } = (await engine.call('GET', 'totp/code/p')).body.data;
  const answers = await Promise.all(
    Array.from({ length: 30 }, () => engine.call('POST', 'totp/code/p', { code: other })),
  );
  expect(answers.filter(({ body }) => body.data?.valid === true).length).toBe(1);
});

test('CVE-2024-7594: an SSH certificate has principals, whoever asks for none', async () => {
  const ssh = new OpenSsh();
  await engine.call('POST', 'ssh/config/ca', { generate_signing_key: true, key_type: 'ed25519' });
  const public_key = ssh.keygen('client', 'ed25519');
  for (const fields of [
    {},
    { allowed_users: 'deploy' },
    { default_user: '' },
    { allowed_users: '', default_user: '' },
  ]) {
    await engine.call('POST', 'ssh/roles/r', {
      key_type: 'ca',
      allow_user_certificates: true,
      allowed_users: '',
      default_user: '',
      ...fields,
    });
    for (const body of [{}, { valid_principals: '' }, { valid_principals: ',' }, { valid_principals: ' ' }]) {
      const { status } = await engine.call('POST', 'ssh/sign/r', { public_key, ...body });
      expect([fields, body, status]).toEqual([fields, body, 400]);
    }
  }
  await engine.call('POST', 'ssh/roles/r', {
    key_type: 'ca',
    allow_user_certificates: true,
    allowed_users: 'deploy',
    default_user: 'deploy',
  });
  expect((await engine.call('POST', 'ssh/sign/r', { public_key })).status).toBe(200);
  expect((await engine.call('POST', 'ssh/sign/r', { public_key, valid_principals: 'root' })).status).toBe(
    400,
  );
});

test('CVE-2021-45042: a path that the storage cannot hold is refused, and stops nothing', async () => {
  const token = await tokenWith(
    engine,
    'path "kv/*" { capabilities = ["create", "read", "update", "list"] } path "secret/*" { capabilities = ["create", "read", "update", "list"] }',
  );
  for (const length of [400, 511, 512, 600, 1000, 2000, 4000, 7000])
    for (const path of [
      `kv/${'k'.repeat(length)}`,
      `secret/data/${'k'.repeat(length)}`,
      `kv/${'k/'.repeat(length / 2)}k`,
      `kv/${encodeURIComponent('é'.repeat(Math.min(length, 1000)))}`,
    ]) {
      const { status } = await engine.call(
        'PUT',
        path,
        path.startsWith('kv') ? { v: 1 } : { data: { v: 1 } },
        token,
      );
      expect([length, status < 500]).toEqual([length, true]);
      const read = await engine.call('GET', path, undefined, token);
      expect([length, read.status === 200]).toEqual([length, status === 200 || status === 204]);
    }
  await engine.restart();
  expect((await engine.call('PUT', 'kv/short', { v: 1 }, token)).status).toBe(204);
  expect((await engine.call('LIST', 'kv', undefined, token)).status).toBe(200);
});

test('CVE-2021-38553: files of the storage are their owner’s alone', () => {
  const folder = join(engine.dir, 'data');
  expect(statSync(folder).mode & 0o077).toBe(0);
  const names = readdirSync(folder);
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) expect([name, statSync(join(folder, name)).mode & 0o077]).toEqual([name, 0]);
});
