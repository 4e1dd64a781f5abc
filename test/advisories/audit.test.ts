import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from '../api/support/engine.ts';
import { auditTo, login, userpass } from './support.ts';

const logs = mkdtempSync(join(tmpdir(), 'sealedvault-audit-'));
let engine: TestEngine;
const secrets = new Set<string>();
beforeAll(async () => {
  engine = await TestEngine.initialized({
    raw_storage_endpoint: true,
    audit_directory: logs,
    allow_audit_log_prefixing: false,
  });
  secrets.add(engine.root);
  await auditTo(engine, 'hashed', { file_path: join(logs, 'hashed.log') });
  await engine.call('POST', 'sys/mounts/kv', { type: 'kv' });
  await engine.call('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
  await engine.call('POST', 'sys/mounts/transit', { type: 'transit' });
  await userpass(engine, { ann: {} });
});
afterAll(async () => {
  await engine.stop();
  rmSync(logs, { recursive: true, force: true });
});

const hashed = (): string => readFileSync(join(logs, 'hashed.log'), 'utf8');
function expectNone(): void {
  const told = hashed() + engine.logLines.join('');
  for (const secret of secrets) expect(told.includes(secret) ? secret : '').toBe('');
}

test('CVE-2024-0831: a device that writes plain values makes no other one do so', async () => {
  await auditTo(engine, 'raw', { file_path: join(logs, 'raw.log'), log_raw: 'true' });
  secrets.add('canary-of-log-raw');
  await engine.call('PUT', 'kv/a', { value: 'canary-of-log-raw' });
  await engine.call('GET', 'kv/a');
  expect(readFileSync(join(logs, 'raw.log'), 'utf8')).toContain('canary-of-log-raw');
  expectNone();
  await engine.call('DELETE', 'sys/audit/raw');
});

test('CVE-2024-8365: tokens and accessors are hashed, wherever they stand', async () => {
  const made = (await engine.call('POST', 'auth/token/create', { policies: ['default'] })).body.auth;
  secrets.add(made.client_token).add(made.accessor);
  const entered = (await login(engine, 'ann')).body.auth;
  secrets.add(entered.client_token).add(entered.accessor).add('canary-of-ann');
  for (const path of ['lookup', 'renew'])
    await engine.call('POST', `auth/token/${path}`, { token: made.client_token });
  for (const path of ['lookup-accessor', 'renew-accessor'])
    await engine.call('POST', `auth/token/${path}`, { accessor: made.accessor });
  await engine.call('LIST', 'auth/token/accessors');
  await engine.call('GET', 'auth/token/lookup-self', undefined, made.client_token);
  const wrapped = await engine.call('GET', 'kv/a', undefined, engine.root, { 'X-Vault-Wrap-TTL': '60' });
  secrets.add(wrapped.body.wrap_info.token).add(wrapped.body.wrap_info.accessor);
  await engine.call('POST', 'sys/wrapping/lookup', { token: wrapped.body.wrap_info.token });
  await engine.call('POST', 'sys/wrapping/unwrap', {}, wrapped.body.wrap_info.token);
  await engine.call('POST', 'auth/token/revoke-accessor', { accessor: made.accessor });
  expectNone();
  const hash = (await engine.call('POST', 'sys/audit-hash/hashed', { input: made.accessor })).body.data.hash;
  expect(hashed()).toContain(hash);
});

test('CVE-2025-4166 CVE-2025-52893 GHSA-8xxq-mq9m-xmhw: values of the wrong form are in no answer, log or audit log', async () => {
  const canary = (index: number): string => {
    const text = `canary-malformed-${index}-x`;
    secrets.add(text);
    return text;
  };
  let at = 0;
  const answers: string[] = [];
  const send = async (method: string, path: string, body: unknown): Promise<void> => {
    answers.push(JSON.stringify((await engine.call(method, path, body)).body ?? ''));
  };
  for (const path of [
    'secret/data/a',
    'secret/metadata/a',
    'secret/config',
    'auth/token/create',
    'auth/userpass/users/x',
    'transit/keys/k',
    'sys/mounts/m',
  ]) {
    const next = (): string => canary((at += 1));
    for (const body of [
      { data: next(), options: next(), custom_metadata: next(), meta: next(), config: next() },
      { data: [next()], options: [{ cas: next() }], custom_metadata: [next()], meta: [next()] },
      {
        options: { cas: next() },
        max_versions: next(),
        custom_metadata: { a: { b: next() } },
        ttl: next(),
        token_ttl: { x: next() },
      },
      `{"data": {"value": "${next()}"`,
      `{"data": "${next()}"} trailing`,
      `${next()}`,
      `{"a": "${next()}\u0001"}`,
      { meta: `{"a": ${next()}`, custom_metadata: `a=${next()}`, headers: next() },
    ])
      await send('POST', path, body);
  }
  // Only what a client got told of a name that it gave may have it.
  for (const answer of answers) expect(answer).not.toMatch(/canary-malformed-\d+-x/);
  expectNone();
  expect((await engine.call('POST', 'secret/data/a', { data: { value: 'x' } })).status).toBe(200);
});

test('CVE-2025-62513: bodies of raw answers are hashed: codes, tokens and claims of the OIDC provider', async () => {
  const put = (path: string, body: object) => engine.call('POST', `identity/oidc/${path}`, body);
  const user = (await login(engine, 'ann')).body.auth;
  secrets.add(user.client_token).add(user.accessor);
  await engine.call('POST', `identity/entity/id/${user.entity_id}`, {
    metadata: { mail: 'canary-claim-mail' },
  });
  secrets.add('canary-claim-mail');
  await put('key/k', { algorithm: 'ES256', allowed_client_ids: '*' });
  await put('scope/mail', { template: '{"mail": {{identity.entity.metadata.mail}}}' });
  await put('client/c', { key: 'k', redirect_uris: 'https://app.example/cb', assignments: 'allow_all' });
  const client = (await engine.call('GET', 'identity/oidc/client/c')).body.data;
  secrets.add(client.client_secret);
  await put('provider/p', { allowed_client_ids: '*', scopes_supported: 'mail' });
  const asked = await engine.call(
    'POST',
    'identity/oidc/provider/p/authorize',
    {
      client_id: client.client_id,
      redirect_uri: 'https://app.example/cb',
      scope: 'openid mail',
      response_type: 'code',
    },
    user.client_token,
  );
  const { code } = asked.body;
  expect(code).toMatch(/./);
  secrets.add(code);
  const told = await engine.call(
    'POST',
    'identity/oidc/provider/p/token',
    {
      grant_type: 'authorization_code',
      code,
      redirect_uri: 'https://app.example/cb',
      client_id: client.client_id,
      client_secret: client.client_secret,
    },
    '',
  );
  for (const token of [told.body.id_token, told.body.access_token]) {
    expect(token).toMatch(/\./);
    secrets.add(token);
  }
  const info = await engine.call('GET', 'identity/oidc/provider/p/userinfo', undefined, '', {
    Authorization: `Bearer ${told.body.access_token}`,
  });
  expect(info.body.mail).toBe('canary-claim-mail');
  expectNone();
});

test('CVE-2025-62705: bytes are hashed as text is: sys/raw in base64, keys and signatures', async () => {
  await engine.call('PUT', 'kv/raw', { value: 'canary-of-raw-storage' });
  const uuid = (await engine.call('GET', 'sys/mounts/kv')).body.data.uuid;
  const encoded = await engine.call('GET', `sys/raw/logical/${uuid}/raw?encoding=base64`);
  expect(Buffer.from(encoded.body.data.value, 'base64').toString()).toContain('canary-of-raw-storage');
  secrets.add(encoded.body.data.value).add('canary-of-raw-storage');
  await engine.call('GET', `sys/raw/logical/${uuid}/raw`);
  await engine.call('POST', 'transit/keys/ed', { type: 'ed25519', derived: true });
  const signed = await engine.call('POST', 'transit/sign/ed', {
    input: Buffer.from('canary-input').toString('base64'),
    context: Buffer.from('canary-context').toString('base64'),
  });
  expect(signed.status).toBe(200);
  for (const value of [
    signed.body.data.signature,
    signed.body.data.public_key,
    Buffer.from('canary-input').toString('base64'),
  ])
    if (typeof value === 'string') secrets.add(value);
  const random = await engine.call('POST', 'sys/tools/random/48', { format: 'base64' });
  secrets.add(random.body.data.random_bytes);
  expectNone();
});

test('CVE-2026-46358: headers that are asked for are audited, hashed where that was asked, and no other header is', async () => {
  for (const [name, hmac] of [
    ['X-Shown', false],
    ['X-Hashed', true],
  ])
    await engine.call('PUT', `sys/config/auditing/request-headers/${name}`, { hmac });
  secrets.add('canary-header-hashed').add('canary-header-other').add('canary-header-basic');
  await engine.call('GET', 'kv/a', undefined, engine.root, {
    'X-Shown': 'shown-header-value',
    'X-Hashed': 'canary-header-hashed',
    'X-Other': 'canary-header-other',
    'X-Vault-Inline-Auth-Path': 'auth/userpass/login/ann',
    'X-Vault-Inline-Auth-Parameter-Password': 'canary-header-basic',
  });
  expect(hashed()).toContain('shown-header-value');
  expectNone();
});

test('CVE-2025-6000 CVE-2025-54997 CVE-2026-5051: an operator of audit devices writes no file but audit logs, below the folder that the configuration names', async () => {
  const target = join(engine.dir, 'not-an-audit-log');
  writeFileSync(target, '#!/bin/sh\n', { mode: 0o600 });
  const attempts: [string, object][] = [
    ['plugin', { file_path: join(engine.dir, 'data', 'data.mdb') }],
    ['lock', { file_path: join(engine.dir, 'data', 'evil.sh'), mode: '0755' }],
    ['config', { file_path: target, mode: '0777', prefix: 'storage "inmem" {}' }],
    ['legacy', { path: target, mode: '0777' }],
    ['up', { file_path: join(logs, '..', 'sealedvault-evil.log') }],
    ['prefix', { file_path: join(logs, 'prefix.log'), prefix: '#!/bin/sh\nid\n' }],
    ['executable', { file_path: join(logs, 'executable.log'), mode: '0777' }],
  ];
  const taken: string[] = [];
  for (const [name, options] of attempts) {
    const { status } = await engine.call('PUT', `sys/audit/${name}`, { type: 'file', options });
    await engine.call('GET', 'kv/a');
    if (status === 204) taken.push(name);
    await engine.call('DELETE', `sys/audit/${name}`);
  }
  expect(readFileSync(target, 'utf8')).toBe('#!/bin/sh\n');
  expect(statSync(target).mode & 0o777).toBe(0o600);
  expect(existsSync(join(engine.dir, 'data', 'evil.sh'))).toBe(false);
  if (existsSync(join(logs, 'executable.log')))
    expect(statSync(join(logs, 'executable.log')).mode & 0o111).toBe(0);
  expect(taken.filter((name) => name !== 'executable')).toEqual([]);
  const rightful = { type: 'file', options: { file_path: join(logs, 'rightful.log') } };
  expect((await engine.call('PUT', 'sys/audit/rightful', rightful)).status).toBe(204);
  await engine.call('DELETE', 'sys/audit/rightful');
});

test('GHSA-444v-8vxr-p36h CVE-2026-77285: what a request has in it is not written to the output when it fails', async () => {
  secrets.add('canary-of-failure');
  await engine.call('PUT', 'kv/missing-mount/x', { value: 'canary-of-failure' });
  await engine.call('PUT', 'nowhere/x', { value: 'canary-of-failure' });
  await engine.call('POST', 'transit/encrypt/none', { plaintext: 'canary-of-failure' });
  await engine.call(
    'POST',
    'auth/userpass/login/ann',
    { password: 'canary-of-failure' },
    'canary-of-failure',
  );
  expectNone();
});
