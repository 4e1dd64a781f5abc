import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

const types = ['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'ed25519', 'hmac', 'rsa-2048', 'rsa-3072'];

const OPENSSL = process.env['OPENSSL'] ?? 'openssl';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/mounts/t', { type: 'transit' });
  for (const type of types) await post(`keys/all-${type}`, { type });
  // Keys are parsed again as they are used.
  await engine.restart();
});
afterAll(() => engine.stop());

const post = (path: string, body: object = {}) => engine.call('POST', `t/${path}`, body);
const get = (path: string) => engine.call('GET', `t/${path}`);

describe('certificates and key agreement', () => {
  const authorityOf = () => {
    const dir = mkdtempSync(join(tmpdir(), 'transit-test-'));
    try {
      const run = (...args: string[]) => execFileSync(OPENSSL, args, { cwd: dir, stdio: 'pipe' });
      run('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'ca.key');
      run('req', '-x509', '-key', 'ca.key', '-subj', '/CN=ca', '-days', '2', '-out', 'ca.pem');
      return {
        ca: readFileSync(`${dir}/ca.pem`, 'utf8'),
        issue: (csr: string) => {
          writeFileSync(`${dir}/csr.pem`, csr);
          run('req', '-in', 'csr.pem', '-noout', '-verify');
          run(
            'x509',
            '-req',
            '-in',
            'csr.pem',
            '-CA',
            'ca.pem',
            '-CAkey',
            'ca.key',
            '-CAcreateserial',
            '-out',
            'leaf.pem',
          );
          return readFileSync(`${dir}/leaf.pem`, 'utf8');
        },
        template: () => {
          run(
            'req',
            '-new',
            '-newkey',
            'rsa:2048',
            '-nodes',
            '-keyout',
            'x',
            '-subj',
            '/CN=templated',
            '-addext',
            'subjectAltName=DNS:a.example',
            '-out',
            't.pem',
          );
          return readFileSync(`${dir}/t.pem`, 'utf8');
        },
        show: (csr: string) =>
          execFileSync(OPENSSL, ['req', '-noout', '-text'], { input: csr, encoding: 'utf8' }),
        done: () => rmSync(dir, { recursive: true, force: true }),
      };
    } catch (error) {
      rmSync(dir, { recursive: true, force: true });
      throw error;
    }
  };

  test('a request that a key signed becomes the certificate of that key, and of no other', async () => {
    const authority = authorityOf();
    try {
      const template = authority.template();
      for (const type of ['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'ed25519', 'rsa-2048']) {
        const made = await post(`keys/all-${type}/csr`, { csr: template });
        expect(made.status, JSON.stringify(made.body)).toBe(200);
        const { csr } = made.body.data;
        expect(authority.show(csr)).toMatch(/CN ?= ?templated[^]*DNS:a\.example/);
        const leaf = authority.issue(csr);
        const set = { certificate_chain: leaf + authority.ca };
        expect((await post(`keys/all-${type}/set-certificate`, set)).status).toBe(204);
        const { keys } = (await get(`export/certificate-chain/all-${type}`)).body.data;
        expect(keys['1'].replaceAll(/\s/g, '')).toBe((leaf + authority.ca).replaceAll(/\s/g, ''));
        expect((await get(`keys/all-${type}`)).body.data.keys['1'].certificate_chain).toBe(keys['1']);
        const other = type === 'ed25519' ? 'rsa-3072' : 'ed25519';
        expect((await post(`keys/all-${other}/set-certificate`, set)).body.errors).toEqual([
          'leaf certificate public key does not match the selected key version',
        ]);
      }
      expect(authority.show((await post('keys/all-ed25519/csr')).body.data.csr)).not.toContain('templated');
      for (const [path, body, message] of [
        ['keys/all-ed25519/csr', { csr: 'x' }, 'could not decode PEM CSR'],
        ['keys/all-hmac/csr', {}, "key type 'hmac' does not support signing"],
        [
          'keys/all-ed25519/set-certificate',
          { certificate_chain: authority.ca },
          'certificate in the first element is not a valid leaf certificate',
        ],
        [
          'keys/all-ed25519/set-certificate',
          {},
          'expected at least one certificate in the certificate chain',
        ],
      ] as const)
        expect((await post(path, body)).body.errors).toEqual([message]);
    } finally {
      authority.done();
    }
  });

  test('two parties derive the same key', async () => {
    const publicKey = async (name: string) => (await get(`keys/${name}`)).body.data.keys['1'].public_key;
    await post('keys/alice', { type: 'ecdsa-p384' });
    await post('keys/bob', { type: 'ecdsa-p384' });
    for (const [own, peer] of [
      ['alice', 'bob'],
      ['bob', 'alice'],
    ] as const)
      expect(
        (await post(`derive-key/of-${own}`, { base_key_name: own, peer_public_key: await publicKey(peer) }))
          .status,
      ).toBe(204);
    const made = (await post('encrypt/of-alice', { plaintext: 'YQ==' })).body.data;
    expect((await post('decrypt/of-bob', made)).body.data.plaintext).toBe('YQ==');
    for (const [body, message] of [
      [{ base_key_name: 'nobody' }, 'specified base key not found'],
      [{ base_key_name: 'all-ed25519' }, 'base key type ed25519 does not support key agreement'],
      [{ base_key_name: 'alice', peer_public_key: 'x' }, 'failed to parse supplied peer public key PEM'],
      [
        { base_key_name: 'alice', peer_public_key: await publicKey('all-ecdsa-p256') },
        'base private key type ecdsa-p384 does not match peer public key curve',
      ],
      [{ base_key_name: 'alice', derived_key_type: 'hmac' }, 'unknown key type hmac'],
    ] as const)
      expect((await post('derive-key/bad', body)).body.errors).toEqual([message]);
  });
});
