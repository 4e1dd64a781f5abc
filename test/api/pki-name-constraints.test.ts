import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
const call = (...args: Parameters<TestEngine['call']>): ReturnType<TestEngine['call']> =>
  engine.call(...args);
const CONSTRAINTS = {
  permitted_dns_domains: ['example.com', '.only-below.org'],
  excluded_dns_domains: 'secret.example.com',
  permitted_ip_ranges: ['10.0.0.0/8', '2001:db8::/32'],
  excluded_ip_ranges: '10.9.0.0/16',
  permitted_email_addresses: ['ann@else.org', 'example.com', '.mail.example.com'],
  excluded_email_addresses: 'root@example.com',
  permitted_uri_domains: ['.example.com', 'one.org'],
  excluded_uri_domains: 'bad.example.com',
};
const ROLE = {
  allow_any_name: true,
  allow_ip_sans: true,
  allowed_uri_sans: '*',
  enforce_hostnames: false,
  require_cn: false,
  key_type: 'any',
  ttl: '1h',
};

beforeAll(async () => {
  engine = await TestEngine.initialized();
  for (const mount of ['root', 'below']) await call('POST', `sys/mounts/${mount}`, { type: 'pki' });
  await call('POST', 'root/root/generate/internal', { common_name: 'Root', ttl: '240h', ...CONSTRAINTS });
  await call('POST', 'root/roles/any', { ...ROLE, key_type: 'ec', key_bits: 256 });
  // An authority without constraints of its own is under those of the one above.
  const { csr } = (
    await call('POST', 'below/intermediate/generate/internal', {
      common_name: 'Below',
      exclude_cn_from_sans: true,
    })
  ).body.data;
  const signed = (
    await call('POST', 'root/root/sign-intermediate', {
      csr,
      common_name: 'Below',
      exclude_cn_from_sans: true,
      ttl: '100h',
    })
  ).body.data;
  const certificate = [signed.certificate, signed.issuing_ca].join('\n');
  expect((await call('POST', 'below/intermediate/set-signed', { certificate })).status).toBe(200);
  await call('POST', 'below/roles/any', { ...ROLE, key_type: 'ec', key_bits: 256 });
});
afterAll(() => engine.stop());

test('the certificate says them as others read them', async () => {
  const { certificate } = (await call('GET', 'root/cert/ca')).body.data;
  const text = execFileSync('openssl', ['x509', '-noout', '-ext', 'nameConstraints'], {
    input: certificate,
  }).toString();
  for (const part of [
    'critical',
    'Permitted:',
    'DNS:example.com',
    'DNS:.only-below.org',
    'IP:10.0.0.0/255.0.0.0',
    'IP:2001:DB8:0:0:0:0:0:0/FFFF:FFFF:0:0:0:0:0:0',
    'email:ann@else.org',
    'URI:.example.com',
    'Excluded:',
    'DNS:secret.example.com',
    'IP:10.9.0.0/255.255.0.0',
    'email:root@example.com',
    'URI:bad.example.com',
  ])
    expect(text).toContain(part);
});

const good: readonly object[] = [
  { alt_names: 'example.com,www.Example.com,*.example.com' },
  { alt_names: 'x.only-below.org' },
  { ip_sans: '10.1.2.3,2001:db8::1' },
  { alt_names: 'ann@else.org,bob@example.com,eve@x.mail.example.com' },
  { uri_sans: 'https://a.example.com/x,spiffe://one.org/y' },
];
const bad: readonly object[] = [
  { alt_names: 'example.org' },
  { alt_names: 'notexample.com' },
  { alt_names: 'only-below.org' },
  { alt_names: 'www.example.com,secret.example.com' },
  { alt_names: 'deep.secret.EXAMPLE.com' },
  { ip_sans: '11.0.0.1' },
  { ip_sans: '10.9.8.7' },
  { ip_sans: '2001:db9::1' },
  { alt_names: 'bob@else.org' },
  { alt_names: 'root@example.com' },
  { alt_names: 'eve@mail.example.com' },
  { uri_sans: 'https://example.com/' },
  { uri_sans: 'https://bad.example.com/' },
  { uri_sans: 'https://10.1.2.3/' },
  { uri_sans: 'urn:no:host' },
];

test.each(['root', 'below'])('%s issues and signs within them, and nothing else', async (mount) => {
  const csrFor = (names: string): string =>
    execFileSync(
      'openssl',
      [
        'req',
        '-new',
        '-nodes',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-keyout',
        '/dev/null',
        '-subj',
        '/CN=x',
        '-addext',
        `subjectAltName=${names}`,
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    ).toString();
  const request = { exclude_cn_from_sans: true, common_name: 'x' };
  for (const names of good) {
    const { status, body } = await call('POST', `${mount}/issue/any`, { ...request, ...names });
    expect([status, body.errors], JSON.stringify(names)).toEqual([200, undefined]);
  }
  for (const names of bad)
    expect(
      await call('POST', `${mount}/issue/any`, { ...request, ...names }),
      JSON.stringify(names),
    ).toMatchObject({
      status: 400,
      body: { errors: [expect.stringContaining('not authorized to sign for this name')] },
    });
  const sign = async (path: string, names: string): Promise<number> =>
    (
      await call('POST', `${mount}/${path}`, {
        csr: csrFor(names),
        common_name: 'x',
        exclude_cn_from_sans: true,
      })
    ).status;
  for (const path of ['sign/any', 'sign-verbatim/any']) {
    expect(await sign(path, 'DNS:a.example.com,IP:10.1.1.1'), path).toBe(200);
    expect(await sign(path, 'DNS:a.example.com,DNS:b.org'), path).toBe(400);
    expect(await sign(path, 'IP:192.168.0.1'), path).toBe(400);
  }
  const csr = csrFor('DNS:b.org');
  expect(
    (await call('POST', `${mount}/root/sign-intermediate`, { csr, use_csr_values: true, common_name: 'x' }))
      .status,
  ).toBe(400);
  const before = (await call('LIST', `${mount}/certs`)).body.data.keys.length;
  await call('POST', `${mount}/issue/any`, { ...request, alt_names: 'b.org' });
  expect((await call('LIST', `${mount}/certs`)).body.data.keys).toHaveLength(before);
});

test('what is no block or no ASCII is refused', async () => {
  for (const wrong of [
    { permitted_ip_ranges: '10.0.0.0' },
    { excluded_ip_ranges: '10.0.0.0/33' },
    { permitted_uri_domains: 'ä.example' },
  ])
    expect(
      (await call('POST', 'root/issuers/generate/root/internal', { common_name: 'R', ...wrong })).status,
    ).toBe(400);
});
