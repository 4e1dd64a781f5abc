import 'reflect-metadata';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CLIENT_AUTH, issue, type Pair, revocationList, type Wanted } from '../api/support/certs.ts';
import { TestEngine } from '../api/support/engine.ts';
import { until } from '../support/cluster/command.ts';
import { freePort } from '../support/cluster/controlplane.ts';
import { createAuthority, issueCertificate } from '../support/cluster/certificates.ts';

const dir = mkdtempSync(join(tmpdir(), 'sealedvault-advisory-'));
let engine: TestEngine;
let root: Pair;
beforeAll(async () => {
  const server = issueCertificate(createAuthority('listener'), {
    commonName: 'vault',
    usage: 'server',
    addresses: ['127.0.0.1'],
  });
  writeFileSync(join(dir, 'cert'), server.certificate);
  writeFileSync(join(dir, 'key'), server.key);
  engine = await TestEngine.initialized({
    listener: [
      { tcp: { address: '127.0.0.1:0', tls_disable: true } },
      { tcp: { address: '127.0.0.1:0', tls_cert_file: join(dir, 'cert'), tls_key_file: join(dir, 'key') } },
    ],
  });
  await engine.call('POST', 'sys/auth/cert', { type: 'cert' });
  root = await issue({ subject: 'CN=Root', ca: true });
});
afterAll(async () => {
  await engine.stop();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(async () => {
  for (const kind of ['certs', 'crls'])
    for (const name of (await engine.call('LIST', `auth/cert/${kind}`)).body?.data?.keys ?? [])
      await engine.call('DELETE', `auth/cert/${kind}/${name}`);
});

function call(
  pair: Pair,
  path = 'auth/cert/login',
  more: { chain?: string; token?: string } = {},
): Promise<any> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `https://${engine.addresses[1]}/v1/${path}`,
      {
        method: 'POST',
        agent: false,
        rejectUnauthorized: false,
        headers: { 'X-Vault-Token': more.token ?? '' },
        cert: pair.cert + (more.chain ?? ''),
        key: pair.key,
      },
      (message) => {
        let text = '';
        message.on('data', (chunk: Buffer) => (text += chunk.toString()));
        message.on('end', () =>
          resolve({ status: message.statusCode, body: text === '' ? undefined : JSON.parse(text) }),
        );
      },
    );
    outgoing.once('error', reject);
    outgoing.end('{}');
  });
}
const client = (wanted: Partial<Wanted> = {}) =>
  issue({ subject: 'CN=ann', issuer: root, usages: [CLIENT_AUTH], ...wanted });
const trust = (fields: object = {}) =>
  engine.call('POST', 'auth/cert/certs/web', { certificate: root.cert, token_policies: 'reader', ...fields });

test('CVE-2024-2048: a certificate that is trusted by itself lets in no other with its name and serial, nor one that it signed', async () => {
  const trusted = await client({ serial: '0a0b0c', issuer: root });
  await trust({ certificate: trusted.cert });
  const { subject } = trusted.certificate;
  const forgeries = [
    await issue({ subject, serial: '0a0b0c', usages: [CLIENT_AUTH] }),
    await issue({
      subject,
      serial: '0a0b0c',
      usages: [CLIENT_AUTH],
      issuer: await issue({ subject: 'CN=Root', ca: true }),
    }),
    await issue({ subject, usages: [CLIENT_AUTH], issuer: root }),
    await issue({ subject: 'CN=below', usages: [CLIENT_AUTH], issuer: trusted }),
    await issue({ subject, serial: '0a0b0c', usages: [CLIENT_AUTH], issuer: trusted }),
  ];
  for (const [index, forged] of forgeries.entries())
    for (const chain of ['', trusted.cert, trusted.cert + root.cert])
      expect([index, (await call(forged, undefined, { chain })).status]).not.toEqual([index, 200]);
  expect((await call(trusted)).status).toBe(200);
});

test('CVE-2025-6037: a certificate that is trusted by itself makes nobody another entity by a common name of their own', async () => {
  const trusted = await issue({ subject: 'CN=service', usages: [CLIENT_AUTH] });
  await trust({ certificate: trusted.cert });
  const own = (await call(trusted)).body.auth;
  // Who has the key makes another certificate of it, with the name of somebody else.
  const { X509CertificateGenerator } = await import('@peculiar/x509');
  const renamed = await X509CertificateGenerator.createSelfSigned({
    serialNumber: trusted.certificate.serialNumber,
    name: 'CN=admin',
    notBefore: new Date(Date.now() - 1000),
    notAfter: new Date(Date.now() + 3_600_000),
    keys: trusted.keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  const forged: Pair = { ...trusted, certificate: renamed, cert: `${renamed.toString('pem')}\n` };
  const answer = await call(forged);
  expect(answer.status === 200 ? answer.body.auth.entity_id : own.entity_id).toBe(own.entity_id);
  expect(answer.status).not.toBe(200);
});

test('CVE-2022-41316: a list of revoked certificates holds from the first login after a start', async () => {
  await trust();
  const [good, bad] = [await client(), await client()];
  await engine.call('POST', 'auth/cert/crls/main', { crl: await revocationList(root, [bad]) });
  expect((await call(bad)).status).toBe(400);
  await engine.restart();
  expect((await call(bad)).status).toBe(400);
  expect((await call(good)).status).toBe(200);
});

test('CVE-2024-2660: an OCSP answer counts when it is of the issuer, about this certificate, and of this time', async () => {
  const [good, bad] = [await client(), await client()];
  const signer = await issue({ subject: 'CN=OCSP', issuer: root, usages: ['1.3.6.1.5.5.7.3.9'] });
  const stranger = await issue({ subject: 'CN=OCSP', usages: ['1.3.6.1.5.5.7.3.9'] });
  const noResponder = await issue({ subject: 'CN=OCSP', issuer: root, usages: [CLIENT_AUTH] });
  const line = (pair: Pair, state: string) =>
    `${state}\t360101000000Z\t${state === 'R' ? '250101000000Z' : ''}\t${pair.certificate.serialNumber.toUpperCase()}\tunknown\t/CN=${pair.certificate.serialNumber}\n`;
  const respond = async (by: Pair, index: string): Promise<() => void> => {
    const port = await freePort();
    await trust({ ocsp_enabled: true, ocsp_servers_override: `http://127.0.0.1:${port}` });
    for (const [name, text] of [
      ['ca.pem', root.cert],
      ['signer.pem', by.cert],
      ['signer.key', by.key],
      ['index', index],
    ])
      writeFileSync(join(dir, name ?? ''), text ?? '');
    const flags = `ocsp -index index -port ${port} -CA ca.pem -rsigner signer.pem -rkey signer.key -nmin 10`;
    const child = spawn('openssl', flags.split(' '), { cwd: dir, stdio: 'ignore' });
    const ask = `ocsp -noverify -issuer ca.pem -serial 1 -url http://127.0.0.1:${port}`.split(' ');
    await until('the responder answers', 20_000, async () => {
      execFileSync('openssl', ask, { cwd: dir, stdio: 'pipe' });
      return true;
    });
    return () => void child.kill();
  };
  const valid = line(good, 'V') + line(bad, 'V');
  for (const [by, index, expected] of [
    [stranger, valid, [400, 400]],
    [noResponder, valid, [400, 400]],
    [signer, line(good, 'V') + line(bad, 'R'), [200, 400]],
    [signer, line(good, 'V'), [200, 400]],
  ] as const) {
    const stop = await respond(by, index);
    expect([(await call(good)).status, (await call(bad)).status]).toEqual(expected);
    stop();
  }
});

test('CVE-2026-39388: a login is renewed with the very certificate that it was made with', async () => {
  await trust({ token_ttl: '1h' });
  const [mine, other] = [await client(), await client()];
  const { client_token: token } = (await call(mine)).body.auth;
  const renewed = async (pair: Pair) => (await call(pair, 'auth/token/renew-self', { token })).status;
  expect(await renewed(mine)).toBe(200);
  // Of the same authority, of the same name, and allowed by the same entry.
  expect(await renewed(other)).not.toBe(200);
  const sameKey = await issue({
    subject: 'CN=ann',
    issuer: root,
    usages: [CLIENT_AUTH],
    serial: mine.certificate.serialNumber,
  });
  expect(await renewed(sameKey)).not.toBe(200);
  expect(await renewed(mine)).toBe(200);
});
