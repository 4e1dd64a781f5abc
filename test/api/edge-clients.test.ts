import { readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthority, issueCertificate } from '../support/cluster/certificates.ts';
import { TestEngine } from './support/engine.ts';

// Listeners of one engine, by what they believe of clients.
const file = join(tmpdir(), `sealedvault-clients-${process.pid}.log`);
const authority = createAuthority('clients');
const alice = issueCertificate(authority, { usage: 'client', commonName: 'alice' });
const pem = (text: string): string => encodeURIComponent(text);
const base64 = alice.certificate.replaceAll(/-----[^-]+-----|\s/g, '');

const xff = (more: object = {}): object => ({
  tcp: {
    address: '127.0.0.1:0',
    tls_disable: true,
    x_forwarded_for_authorized_addrs: '127.0.0.0/8, ::1',
    ...more,
  },
});
const proxied = (behavior: string, addresses?: string): object => ({
  tcp: {
    address: '127.0.0.1:0',
    tls_disable: true,
    proxy_protocol_behavior: behavior,
    ...(addresses === undefined ? {} : { proxy_protocol_authorized_addrs: addresses }),
  },
});
const STRANGER = '203.0.113.0/24';
const LISTENERS = [
  ['plain', { tcp: { address: '127.0.0.1:0', tls_disable: true } }],
  ['strict', xff()],
  ['skips', xff({ x_forwarded_for_hop_skips: '1', x_forwarded_for_reject_not_present: false })],
  [
    'stranger',
    xff({
      x_forwarded_for_authorized_addrs: [STRANGER],
      x_forwarded_for_reject_not_authorized: 'false',
      x_forwarded_for_client_cert_header: 'Client-Cert',
      x_forwarded_for_reject_not_present: false,
    }),
  ],
  ['rejects', xff({ x_forwarded_for_authorized_addrs: STRANGER })],
  [
    'certs',
    xff({
      x_forwarded_for_client_cert_header: 'Client-Cert',
      x_forwarded_for_client_cert_header_decoders: 'URL,DER',
    }),
  ],
  [
    'rfc9440',
    xff({
      x_forwarded_for_client_cert_header: 'Client-Cert',
      x_forwarded_for_client_cert_decoders: ['RFC9440'],
    }),
  ],
  ['always', proxied('use_always')],
  ['allow', proxied('allow_authorized', '127.0.0.1')],
  ['ignore', proxied('allow_authorized', STRANGER)],
  ['deny', proxied('deny_unauthorized', STRANGER)],
] as const;

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized({
    listener: LISTENERS.map(([, each]) => each),
    audit: [{ file: { file_path: file } }],
  });
  await engine.call('POST', 'sys/auth/cert', { type: 'cert' });
  await engine.call('PUT', 'auth/cert/certs/alice', {
    certificate: authority.certificate,
    policies: 'default',
  });
});
afterAll(async () => {
  await engine.stop();
  rmSync(file, { force: true });
});

const hostOf = (name: string): string => {
  const index = LISTENERS.findIndex(([each]) => each === name);
  return engine.addresses[index] ?? '';
};

function call(
  name: string,
  path: string,
  headers: Record<string, string> = {},
  { token = engine.root, ...more }: RequestInit & { token?: string } = {},
): Promise<Response> {
  return fetch(`http://${hostOf(name)}/v1/${path}`, {
    ...more,
    headers: { 'X-Vault-Token': token, ...headers },
  });
}

/** Who the engine takes a client for. */
async function seenAs(name: string, headers: Record<string, string>): Promise<string> {
  const response = await call(name, 'sys/in-flight-req', headers);
  const body = (await response.json()) as any;
  if (response.status !== 200) return `${response.status} ${body.errors?.[0]}`;
  return (Object.values(body)[0] as any)?.client_remote_address?.replace(/:\d+$/, '') ?? '';
}

describe('X-Forwarded-For', () => {
  test.each([
    ['plain', '9.9.9.9', '127.0.0.1'],
    ['strict', '9.9.9.9', '9.9.9.9'],
    ['strict', '1.1.1.1, 9.9.9.9', '9.9.9.9'],
    ['strict', '2001:db8::9', '2001:db8::9'],
    ['strict', '', '400 missing x-forwarded-for header and configured to reject when not present'],
    ['strict', 'unknown', '400 malformed x-forwarded-for header: it names no IP address'],
    ['strict', '9.9.9.9:80', '400 malformed x-forwarded-for header: it names no IP address'],
    ['strict', '9.9.9.9,', '400 malformed x-forwarded-for header: it names no IP address'],
    ['skips', '1.1.1.1, 9.9.9.9', '1.1.1.1'],
    ['skips', '3.3.3.3, 1.1.1.1, 9.9.9.9', '1.1.1.1'],
    ['skips', '', '127.0.0.1'],
    [
      'skips',
      '9.9.9.9',
      '400 malformed x-forwarded-for configuration or request, hops to skip (1) would skip before earliest chain link (chain length 1)',
    ],
    ['stranger', '9.9.9.9', '127.0.0.1'],
    [
      'rejects',
      '9.9.9.9',
      '400 client address not authorized for x-forwarded-for and configured to reject connection',
    ],
    ['rejects', '', '400 missing x-forwarded-for header and configured to reject when not present'],
  ])('%s: a client that is forwarded for %j is %s', async (name, header, expected) => {
    expect(await seenAs(name, header === '' ? {} : { 'X-Forwarded-For': header })).toBe(expected);
  });

  test('tokens, quotas, lock-outs and audit know the client, not the proxy', async () => {
    const { body } = await engine.call('POST', 'auth/token/create-orphan', { policies: ['default'] });
    expect(body.auth).toBeDefined();
    await engine.call('POST', 'auth/token/roles/bound', { token_bound_cidrs: '9.9.9.0/24' });
    const bound = (await engine.call('POST', 'auth/token/create/bound', {}, engine.root)).body.auth
      .client_token;
    const lookup = async (headers: Record<string, string>, name = 'strict'): Promise<number> =>
      (await call(name, 'auth/token/lookup-self', headers, { token: bound })).status;
    expect(await lookup({ 'X-Forwarded-For': '9.9.9.7' })).toBe(200);
    expect(await lookup({ 'X-Forwarded-For': '9.9.8.7' })).toBe(403);
    expect(await lookup({ 'X-Forwarded-For': '9.9.9.7, 9.9.8.7' })).toBe(403);
    // A stranger who says what a proxy would say is not believed.
    expect(await lookup({ 'X-Forwarded-For': '9.9.9.7' }, 'plain')).toBe(403);
    expect(await lookup({ 'X-Forwarded-For': '9.9.9.7' }, 'stranger')).toBe(403);
    expect(readFileSync(file, 'utf8')).toContain('"remote_address":"9.9.9.7"');

    await engine.call('POST', 'sys/quotas/rate-limit/few', { rate: 3, interval: '1h', path: 'auth/cert/' });
    const statuses = async (address: string): Promise<number[]> => {
      const found = [];
      for (let times = 0; times < 4; times += 1)
        found.push((await call('strict', 'auth/cert/certs/alice', { 'X-Forwarded-For': address })).status);
      return found;
    };
    expect(await statuses('7.7.7.7')).toEqual([200, 200, 200, 429]);
    expect(await statuses('7.7.7.8')).toEqual([200, 200, 200, 429]);
    await engine.call('DELETE', 'sys/quotas/rate-limit/few');
  });
});

describe('a certificate that a proxy hands on', () => {
  const login = async (name: string, headers: Record<string, string>): Promise<number> =>
    (await call(name, 'auth/cert/login', headers, { method: 'POST', token: '' })).status;
  const from = { 'X-Forwarded-For': '9.9.9.9' };

  test.each([
    ['certs', { ...from, 'Client-Cert': pem(alice.certificate) }, 200],
    ['rfc9440', { ...from, 'Client-Cert': `:${base64}:` }, 200],
    ['certs', from, 400],
    ['certs', { ...from, 'Client-Cert': 'rubbish' }, 400],
    ['certs', { ...from, 'Client-Cert': '%zz' }, 400],
    ['rfc9440', { ...from, 'Client-Cert': base64 }, 400],
    // Without the proxy's word, and where the proxy is not known.
    ['certs', { 'Client-Cert': pem(alice.certificate) }, 400],
    ['stranger', { ...from, 'Client-Cert': base64 }, 400],
    ['stranger', { 'Client-Cert': base64 }, 400],
    ['strict', { ...from, 'Client-Cert': base64 }, 400],
    ['plain', { ...from, 'Client-Cert': base64 }, 400],
  ] as const)('%s with %j: %d', async (name, headers, status) => {
    expect(await login(name, headers)).toBe(status);
  });
});

function speak(name: string, chunks: readonly (string | Buffer)[]): Promise<string> {
  const [host = '', port = ''] = hostOf(name).split(':');
  return new Promise((resolve) => {
    const socket = connect(Number(port), host);
    let text = '';
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
    void (async () => {
      for (const chunk of chunks) {
        socket.write(chunk);
        await new Promise((next) => setTimeout(next, 15));
      }
    })();
  });
}

const seen = /"client_remote_address":"([^"]*):\d+"/;
const ask = (method = 'GET', path = 'sys/in-flight-req'): string =>
  `${method} /v1/${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Vault-Token: ${engine.root}\r\n\r\n`;

describe('the PROXY protocol', () => {
  const header = 'PROXY TCP4 9.8.7.6 1.1.1.1 4660 80\r\n';
  test.each([
    ['always', header, '9.8.7.6'],
    ['always', '', '127.0.0.1'],
    ['always', 'PROXY UNKNOWN\r\n', '127.0.0.1'],
    ['allow', header, '9.8.7.6'],
    ['ignore', header, '127.0.0.1'],
    ['ignore', '', '127.0.0.1'],
    ['always', 'PROXY TCP4 9.8.7.6 junk\r\n', undefined],
    ['deny', header, undefined],
    ['deny', '', undefined],
  ])('%s, %j: the client is %s', async (name, start, expected) => {
    expect(seen.exec(await speak(name, [start + ask()]))?.[1]).toBe(expected);
    // In pieces, and a byte at a time.
    expect(seen.exec(await speak(name, [...start.split(''), ask()]))?.[1]).toBe(expected);
    expect(
      seen.exec(
        await speak(
          name,
          [start, ask()].filter((each) => each !== ''),
        ),
      )?.[1],
    ).toBe(expected);
  });

  test('LIST is understood behind a header, and the client is still known', async () => {
    const list = `LIST /v1/auth/token/accessors HTTP/1.1\r\nHost: x\r\nX-Vault-Token: ${engine.root}\r\n\r\n`;
    const text = await speak('always', [header + list, ask()]);
    expect(text).toContain('"keys":[');
    expect(seen.exec(text)?.[1]).toBe('9.8.7.6');
  });

  test('the plain listener does not know the header', async () => {
    expect(await speak('plain', [header + ask()])).toMatch(/^HTTP\/1.1 400 /);
  });
});

describe('TLS', () => {
  test('versions and suites are what the configuration says; the PROXY header comes before', async () => {
    const server = issueCertificate(authority, {
      usage: 'server',
      commonName: 'localhost',
      dnsNames: ['localhost'],
    });
    const { writeFileSync } = await import('node:fs');
    const at = (name: string): string => join(engine.dir, name);
    writeFileSync(at('tls.crt'), server.certificate);
    writeFileSync(at('tls.key'), server.key);
    const tls = (more: object): object => ({
      tcp: { address: '127.0.0.1:0', tls_cert_file: at('tls.crt'), tls_key_file: at('tls.key'), ...more },
    });
    const other = await TestEngine.start({
      listener: [
        { tcp: { address: '127.0.0.1:0', tls_disable: true } },
        tls({}),
        tls({
          tls_max_version: 'tls12',
          tls_cipher_suites: 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384',
        }),
        tls({ tls_min_version: 'tls13', proxy_protocol_behavior: 'use_always' }),
      ],
    });
    const shake = (listener: number, options: object, first = ''): Promise<string> =>
      new Promise((resolve) => {
        const [host = '', port = ''] = (other.addresses[listener] ?? '').split(':');
        const plain = connect(Number(port), host, () => {
          if (first !== '') plain.write(first);
          const socket = connectTls({ socket: plain, rejectUnauthorized: false, ...options });
          socket.on('secureConnect', () => {
            resolve(`${socket.getProtocol()} ${socket.getCipher().standardName}`);
            socket.destroy();
          });
          socket.on('error', () => resolve('refused'));
        });
      });
    try {
      expect(await shake(1, {})).toMatch(/^TLSv1.3/);
      expect(await shake(1, { maxVersion: 'TLSv1.2' })).toMatch(/^TLSv1.2/);
      expect(
        await shake(1, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
      ).toBe('refused');
      expect(await shake(2, {})).toBe('TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384');
      expect(await shake(2, { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' })).toBe(
        'refused',
      );
      expect(await shake(3, {})).toMatch(/^TLSv1.3/);
      expect(await shake(3, {}, 'PROXY TCP4 9.8.7.6 1.1.1.1 4660 80\r\n')).toMatch(/^TLSv1.3/);
      expect(await shake(3, { maxVersion: 'TLSv1.2' })).toBe('refused');
      // Certificates that are read again change none of it.
      await other.reload();
      expect(await shake(2, {})).toBe('TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384');
      expect(await shake(3, { maxVersion: 'TLSv1.2' })).toBe('refused');
    } finally {
      await other.stop();
    }
  });
});
