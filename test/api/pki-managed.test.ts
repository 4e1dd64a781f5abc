import { execFile, execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { calls, fault, FaultLibrary } from '../seal/fault-library.ts';
import { addToken } from '../seal/support.ts';
import { type Answer, TestEngine } from './support/engine.ts';

const PIN = 'canary-managed-pin-3Hd';
const library = new FaultLibrary();
const dir = mkdtempSync(join(tmpdir(), 'pki-managed-'));
let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.initialized((token: TestEngine['token']) => {
    const { lib, library_env } = library.on(token);
    return { kms_library: [{ pkcs11: { name: 'hsm', library: lib, library_env } }] };
  });
  addToken(engine.token.env, PIN, 'keys');
  for (const [name, more] of [
    ['root-rsa', { mechanism: '0x0001', key_bits: 2048 }],
    ['root-pss', { mechanism: '0x000D', key_bits: 2048 }],
    ['ca-ec', { mechanism: '0x1041', curve: 'P256' }],
    ['spare', { mechanism: '0x1041', curve: 'P384' }],
    ['oaep', { mechanism: '0x0009', key_bits: 2048 }],
  ] as const) {
    const config = {
      library: 'hsm',
      token_label: 'keys',
      pin: PIN,
      key_label: name,
      allow_generate_key: true,
      ...more,
    };
    expect((await engine.call('POST', `sys/managed-keys/pkcs11/${name}`, config)).status).toBe(204);
  }
  for (const [mount, keys] of [
    ['root', ['root-rsa', 'spare', 'oaep']],
    ['pss', ['root-pss']],
    ['inter', ['ca-ec']],
    ['none', []],
  ] as const) {
    const config = { max_lease_ttl: '87600h', allowed_managed_keys: keys };
    expect((await engine.call('POST', `sys/mounts/${mount}`, { type: 'pki', config })).status).toBe(204);
  }
});
afterAll(async () => {
  for (const canary of [PIN, engine.token.pin, engine.root])
    expect(engine.logLines.join('')).not.toContain(canary);
  await engine.stop();
  library.remove();
  rmSync(dir, { recursive: true });
});

const root = (mount: string, body: object): Promise<Answer> =>
  engine.call('POST', `${mount}/root/generate/kms`, { common_name: `${mount} CA`, ttl: '8760h', ...body });

function openssl(args: string[], files: Record<string, string> = {}): string {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
  return execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' }).toString();
}

describe('an authority whose key is a managed key', () => {
  let rootPem: string;

  test('is made by root/generate/kms, signed in the HSM', async () => {
    const before = calls(engine.token, 'C_Sign');
    const made = await root('root', { managed_key_name: 'root-rsa', key_name: 'held' });
    expect(made.status).toBe(200);
    expect(calls(engine.token, 'C_Sign')).toBeGreaterThan(before);
    rootPem = made.body.data.certificate;
    expect(made.body.data).not.toHaveProperty('private_key');
    expect(new X509Certificate(rootPem).verify(new X509Certificate(rootPem).publicKey)).toBe(true);
    const id = (await engine.call('GET', 'sys/managed-keys/pkcs11/root-rsa')).body.data.UUID;
    expect((await engine.call('GET', 'root/key/held')).body.data).toMatchObject({
      key_name: 'held',
      key_type: 'rsa',
      managed_key_id: id,
      managed_key_name: 'root-rsa',
      subject_key_id: expect.stringMatching(/^([0-9a-f]{2}:){19}/),
    });
  });

  test('issues, revokes, signs lists and answers OCSP; OpenSSL believes all of it', async () => {
    await engine.call('POST', 'root/roles/any', { allow_any_name: true, ttl: '1h' });
    const leaf = (await engine.call('POST', 'root/issue/any', { common_name: 'a.example' })).body.data;
    const files = { 'root.pem': rootPem, 'leaf.pem': leaf.certificate };
    expect(openssl(['verify', '-CAfile', 'root.pem', 'leaf.pem'], files)).toContain('OK');
    const revoked = await engine.call('POST', 'root/revoke', { serial_number: leaf.serial_number });
    expect(revoked.status).toBe(200);
    const crl = (await engine.call('GET', 'root/crl/pem', undefined, '')).body;
    const files2 = { 'crl.pem': typeof crl === 'string' ? crl : JSON.stringify(crl) };
    expect(openssl(['crl', '-in', 'crl.pem', '-noout', '-text'], files2)).toContain('Revoked Certificates');
    expect(() =>
      openssl(['verify', '-crl_check', '-CAfile', 'root.pem', '-CRLfile', 'crl.pem', 'leaf.pem']),
    ).toThrow(/revoked/);
    const asked = [
      'ocsp',
      '-issuer',
      'root.pem',
      '-cert',
      'leaf.pem',
      '-url',
      `${engine.address}/v1/root/ocsp`,
      '-CAfile',
      'root.pem',
    ];
    // Not openssl(): the engine is in this process, and must be able to answer.
    const { stdout } = await promisify(execFile)('openssl', asked, { cwd: dir, timeout: 20_000 });
    expect(stdout).toMatch(/leaf.pem: revoked/);
  });

  test('is an intermediate by intermediate/generate/kms and set-signed', async () => {
    const csr = await engine.call('POST', 'inter/intermediate/generate/kms', {
      common_name: 'inter',
      managed_key_name: 'ca-ec',
    });
    expect(
      openssl(['req', '-verify', '-noout', '-in', 'i.csr'], { 'i.csr': csr.body.data.csr }),
    ).toBeDefined();
    const signed = await engine.call('POST', 'root/root/sign-intermediate', {
      csr: csr.body.data.csr,
      common_name: 'inter',
    });
    const set = await engine.call('POST', 'inter/intermediate/set-signed', {
      certificate: signed.body.data.certificate,
    });
    expect(set.status).toBe(200);
    await engine.call('POST', 'inter/roles/any', { allow_any_name: true, key_type: 'ec', ttl: '1h' });
    const leaf = (await engine.call('POST', 'inter/issue/any', { common_name: 'b.example' })).body.data;
    const files = { 'inter.pem': signed.body.data.certificate, 'leaf2.pem': leaf.certificate };
    expect(
      openssl(['verify', '-CAfile', 'root.pem', '-untrusted', 'inter.pem', 'leaf2.pem'], files),
    ).toContain('OK');
  });

  test('with a key for PSS signs by PSS, without being told', async () => {
    const made = await root('pss', { managed_key_name: 'root-pss' });
    const text = openssl(['x509', '-noout', '-text', '-in', 'pss.pem'], {
      'pss.pem': made.body.data.certificate,
    });
    expect(text).toContain('Signature Algorithm: rsassaPss');
    expect(openssl(['verify', '-CAfile', 'pss.pem', 'pss.pem'])).toContain('OK');
  });

  test('may have a key by keys/generate/kms, and a root of it by key_ref', async () => {
    const id = (await engine.call('GET', 'sys/managed-keys/pkcs11/spare')).body.data.UUID;
    const key = await engine.call('POST', 'root/keys/generate/kms', {
      key_name: 'second',
      managed_key_id: id,
    });
    expect(key.body.data).toEqual({ key_id: expect.any(String), key_name: 'second', key_type: 'ec' });
    const body = { common_name: 'second', key_ref: 'second', ttl: '100h' };
    const made = await engine.call('POST', 'root/root/generate/existing', body);
    expect(made.status).toBe(200);
    expect(made.body.data.key_id).toBe(key.body.data.key_id);
    expect(
      openssl(['verify', '-CAfile', 's.pem', 's.pem'], { 's.pem': made.body.data.certificate }),
    ).toContain('OK');
  });
});

test.each([
  [{}, 'managed_key_name or managed_key_id is required'],
  [{ managed_key_name: 'ca-ec' }, 'is available to this mount'],
  [{ managed_key_name: 'oaep' }, 'does not sign'],
  [{ managed_key_name: 'root-rsa', key_type: 'ec' }, 'do not fit the managed key'],
  [{ managed_key_name: 'root-rsa', key_bits: 4096 }, 'do not fit the managed key'],
])('root/generate/kms refuses %j', async (body, message) => {
  const { status, body: answer } = await root('root', body);
  expect([status, answer.errors[0]]).toEqual([400, expect.stringContaining(message)]);
  expect((await root('none', { managed_key_name: 'root-rsa' })).status).toBe(400);
});

describe('when the HSM', () => {
  const issue = (mount: string): Promise<Answer> =>
    engine.call('POST', `${mount}/issue/any`, { common_name: 'c.example' });

  test('is away, nothing is issued or half-written, and what is there is read', async () => {
    fault(engine.token, 'C_SignInit', 48, 1_000_000);
    const before = (await engine.call('LIST', 'root/certs')).body.data.keys.length;
    const { status, body } = await issue('root');
    expect([status, body.errors[0]]).toEqual([500, 'the HSM refused an operation']);
    expect((await engine.call('LIST', 'root/certs')).body.data.keys.length).toBe(before);
    expect((await engine.call('GET', 'root/ca/pem', undefined, '')).status).toBe(200);
    fault(engine.token, 'C_SignInit', 48, 0);
    expect((await issue('root')).status).toBe(200);
  });

  test('is there but the mount may not use the key any more, nothing is issued', async () => {
    await engine.call('POST', 'sys/mounts/inter/tune', { allowed_managed_keys: '' });
    const { status, body } = await issue('inter');
    expect([status, body.errors[0]]).toEqual([500, expect.stringContaining('is available to this mount')]);
    await engine.call('POST', 'sys/mounts/inter/tune', { allowed_managed_keys: 'ca-ec' });
    expect((await issue('inter')).status).toBe(200);
  });

  test('holds another key under the name, nothing is signed by it', async () => {
    const config = { key_label: 'impostor', allow_generate_key: true };
    await engine.call('POST', 'sys/managed-keys/pkcs11/ca-ec', config);
    const { status, body } = await issue('inter');
    expect([status, body.errors[0]]).toEqual([500, expect.stringContaining('another key than the one')]);
    await engine.call('POST', 'sys/managed-keys/pkcs11/ca-ec', { key_label: 'ca-ec' });
    expect((await issue('inter')).status).toBe(200);
  });

  test('a restart changes nothing', async () => {
    await engine.restart();
    expect((await issue('inter')).status).toBe(200);
  });
});
