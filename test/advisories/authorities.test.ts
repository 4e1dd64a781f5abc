import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from '../api/support/engine.ts';
import { tidied } from '../api/support/pki.ts';
import { files, openssl } from '../api/support/openssl.ts';
import { tokenWith } from './support.ts';

let engine: TestEngine;
let ca = '';
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/mounts/pki', { type: 'pki', config: { max_lease_ttl: '8760h' } });
  const { body } = await engine.call('POST', 'pki/root/generate/internal', {
    common_name: 'root.test',
    ttl: '8000h',
    key_type: 'ec',
  });
  ca = body.data.certificate;
});
afterAll(() => engine.stop());

const role = (name: string, fields: object) =>
  engine.call('POST', `pki/roles/${name}`, { key_type: 'ec', ...fields });
const request = async (subject: string, names: string): Promise<string> => {
  const dir = files({});
  const args = [
    'req',
    '-new',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    'k',
    '-subj',
    subject,
  ];
  return openssl([...args, ...(names === '' ? [] : ['-addext', `subjectAltName=${names}`])], '', dir);
};

test('CVE-2022-25243: a role without subdomains issues no wildcard and no name below its domains', async () => {
  for (const fields of [
    { allowed_domains: 'example.com', allow_bare_domains: true },
    { allowed_domains: 'example.com', allow_bare_domains: true, allow_glob_domains: false },
    { allowed_domains: ['example.com', 'other.com'], allow_bare_domains: true, allow_localhost: true },
  ]) {
    await role('bare', { ...fields, allow_subdomains: false });
    for (const name of [
      '*.example.com',
      'a.example.com',
      '*.*.example.com',
      'a*.example.com',
      '*',
      '*.com',
      'example.com.evil',
      'xexample.com',
    ]) {
      const csr = await request('/CN=example.com', `DNS:${name}`);
      for (const [path, body] of [
        ['issue', { common_name: name }],
        ['issue', { common_name: 'example.com', alt_names: name }],
        ['sign', { csr, common_name: 'example.com' }],
      ] as const) {
        const answer = await engine.call('POST', `pki/${path}/bare`, body);
        // What is no name at all is left out, as Vault does; it is in no certificate.
        const issued =
          answer.status === 200
            ? await openssl(['x509', '-noout', '-text'], answer.body.data.certificate)
            : '';
        expect([name, issued.includes(`${name},`) || issued.includes(`${name}\n`)]).toEqual([name, false]);
        if (/^[a-z.]+$|^\*\.example/.test(name))
          expect([name, path, answer.status]).toEqual([name, path, 400]);
      }
    }
    expect((await engine.call('POST', 'pki/issue/bare', { common_name: 'example.com' })).status).toBe(200);
  }
  await role('sub', {
    allowed_domains: 'example.com',
    allow_subdomains: true,
    allow_wildcard_certificates: false,
  });
  expect((await engine.call('POST', 'pki/issue/sub', { common_name: '*.example.com' })).status).toBe(400);
  expect((await engine.call('POST', 'pki/issue/sub', { common_name: 'a.example.com' })).status).toBe(200);
});

test('CVE-2021-29653: a certificate that is revoked stays in the list until it has expired, whatever is tidied', async () => {
  await role('any', { allow_any_name: true, ttl: '1h' });
  const made = await Promise.all(
    [1, 2, 3].map((n) => engine.call('POST', 'pki/issue/any', { common_name: `r${n}.test` })),
  );
  for (const { body } of made)
    await engine.call('POST', 'pki/revoke', { serial_number: body.data.serial_number });
  for (const fields of [
    { tidy_revoked_certs: true, safety_buffer: '1s' },
    { tidy_cert_store: true, tidy_revoked_certs: true, safety_buffer: '1s' },
    { tidy_revoked_cert_issuer_associations: true, safety_buffer: '1s' },
  ]) {
    await engine.call('POST', 'pki/tidy', fields);
    await tidied(engine, 'pki');
    await engine.call('GET', 'pki/crl/rotate');
    const list = await fetch(`${engine.address}/v1/pki/crl/pem`).then((answer) => answer.text());
    const told = (await openssl(['crl', '-noout', '-text'], list)).toLowerCase();
    for (const { body } of made) expect(told).toContain(body.data.serial_number.replaceAll(':', ''));
  }
  await engine.restart();
  const list = await fetch(`${engine.address}/v1/pki/crl/pem`).then((answer) => answer.text());
  expect((await openssl(['crl', '-noout', '-text'], list)).toLowerCase()).toContain(
    made[0]?.body.data.serial_number.replaceAll(':', ''),
  );
});

test('CVE-2023-0665: issuers are changed and removed by whoever may, by no other path, verb or name of theirs', async () => {
  const { keys } = (await engine.call('LIST', 'pki/issuers')).body.data;
  const [id] = keys;
  const before = (await engine.call('GET', `pki/issuer/${id}`)).body.data;
  const token = await tokenWith(
    engine,
    'path "pki/issuer/+" { capabilities = ["read"] } path "pki/issuer/+/*" { capabilities = ["read"] } path "pki/issuers" { capabilities = ["list"] } path "pki/issue/*" { capabilities = ["update"] }',
  );
  for (const ref of [id, 'default', 'Default', `${id}/`, `${id}/json`, `${id}/pem`, `${id}/der`, `${id}/crl`])
    for (const method of ['PUT', 'POST', 'PATCH', 'DELETE']) {
      const body =
        method === 'DELETE'
          ? undefined
          : { issuer_name: 'stolen', usage: 'read-only', leaf_not_after_behavior: 'permit' };
      const { status } = await engine.call(method, `pki/issuer/${ref}`, body, token);
      expect([method, ref, status >= 400]).toEqual([method, ref, true]);
    }
  for (const path of [
    'pki/root',
    'pki/config/issuers',
    'pki/issuers/generate/root/internal',
    'pki/issuer/default/revoke',
    `pki/key/${before.key_id}`,
  ])
    for (const method of ['PUT', 'DELETE'])
      expect([
        method,
        path,
        (await engine.call(method, path, method === 'PUT' ? { default: id } : undefined, token)).status,
      ]).toEqual([method, path, 403]);
  expect((await engine.call('GET', `pki/issuer/${id}`)).body.data).toEqual(before);
  expect((await engine.call('GET', 'pki/issuer/default', undefined, token)).status).toBe(200);
});

test('CVE-2026-115369 GHSA-g892-p242-8g86: addresses of a request are held to the role as those of a call are', async () => {
  await role('nets', {
    allow_any_name: true,
    allow_ip_sans: true,
    allowed_ip_sans_cidr: ['10.0.0.0/8', '2001:db8::/32'],
    use_csr_sans: true,
  });
  for (const [address, status] of [
    ['10.1.2.3', 200],
    ['192.0.2.1', 400],
    ['2001:db8::1', 200],
    ['2001:db9::1', 400],
  ] as const) {
    const csr = await request('/CN=a.test', `IP:${address}`);
    expect([
      address,
      (await engine.call('POST', 'pki/sign/nets', { csr, common_name: 'a.test' })).status,
    ]).toEqual([address, status]);
    expect([
      address,
      (await engine.call('POST', 'pki/issue/nets', { common_name: 'a.test', ip_sans: address })).status,
    ]).toEqual([address, status]);
  }
  const mixed = await request('/CN=a.test', 'IP:10.0.0.1,IP:192.0.2.1');
  expect((await engine.call('POST', 'pki/sign/nets', { csr: mixed, common_name: 'a.test' })).status).toBe(
    400,
  );
  await role('none', { allow_any_name: true, allow_ip_sans: false });
  const csr = await request('/CN=a.test', 'IP:10.0.0.1');
  expect((await engine.call('POST', 'pki/sign/none', { csr, common_name: 'a.test' })).status).toBe(400);
  expect(ca).toContain('BEGIN CERTIFICATE');
});
