import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { equalBytes } from '../../src/lib/bytes.ts';
import { EngineProcess } from '../api/support/process.ts';
import { TestEngine } from '../api/support/engine.ts';
import { makeToken } from '../seal/support.ts';
import { tokenWith } from './support.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized({
    listener: [
      { tcp: { address: '127.0.0.1:0', tls_disable: true, max_request_size: 1_000_000 } },
      {
        tcp: {
          address: '127.0.0.1:0',
          tls_disable: true,
          proxy_protocol_behavior: 'deny_unauthorized',
          proxy_protocol_authorized_addrs: '203.0.113.0/24',
        },
      },
    ],
  });
  await engine.call('POST', 'sys/mounts/kv', { type: 'kv' });
});
afterAll(() => engine.stop());

const lives = async (): Promise<boolean> =>
  (await engine.call('GET', 'sys/health', undefined, '')).status === 200 &&
  (await engine.call('GET', 'auth/token/lookup-self')).status === 200;

/** The longest that the event loop did nothing but one thing, in milliseconds. */
async function delayDuring(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }, 5);
  await work();
  clearInterval(timer);
  return Math.max(longest, performance.now() - last);
}

test('CVE-2025-6203 CVE-2025-59043 CVE-2025-12044: JSON that grows when it is read is refused by name, before it is read', async () => {
  const bodies: [string, RegExp][] = [
    [`{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`, /nesting depth/],
    [`{"a":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}`, /nesting depth/],
    [`{${Array.from({ length: 60_000 }, (_, index) => `"${index}":1`).join(',')}}`, /entry count|entries/],
    [`{"a":[${'0,'.repeat(200_000)}0]}`, /element count|elements/],
  ];
  for (const token of ['', 'hvs.none', engine.root])
    for (const path of ['kv/a', 'auth/userpass/login/x', 'sys/unseal', 'sys/wrapping/unwrap', 'nowhere'])
      for (const [body, limit] of bodies) {
        const answer = await engine.call('PUT', path, body, token);
        expect([path, [400, 403].includes(answer.status)]).toEqual([path, true]);
        // Without a good token there is nothing to be read for.
        if (answer.status === 400 || token === engine.root) expect(answer.body.errors[0]).toMatch(limit);
      }
  const delay = await delayDuring(() =>
    Promise.all(bodies.flatMap(([body]) => [1, 2, 3].map(() => engine.call('PUT', 'kv/a', body, '')))),
  );
  // The client of this test makes its requests in the same process: a generous bound, where seven seconds was the fault.
  expect(delay).toBeLessThan(2000);
  expect((await engine.call('PUT', 'kv/a', { list: Array.from({ length: 5000 }, () => 1) })).status).toBe(
    204,
  );
});

test('CVE-2023-6337: a body beyond the limit is refused while it comes, and is not held', async () => {
  const before = process.memoryUsage().rss;
  const size = 64 * 1024 * 1024;
  const chunk = 'x'.repeat(1024 * 1024);
  const send = (head: string): Promise<string> =>
    new Promise((resolve) => {
      const [host = '', port = ''] = engine.address.replace('http://', '').split(':');
      let answer = '';
      const socket = connect(Number(port), host, () => {
        socket.write(head);
        for (let sent = 0; sent < 8 && !socket.destroyed; sent += 1) socket.write(chunk);
      });
      socket.setTimeout(15_000, () => socket.destroy());
      socket.on('data', (data) => {
        answer += data.toString();
        socket.destroy();
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(answer));
    });
  const answers = await Promise.all(
    Array.from({ length: 20 }, () =>
      send(`PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n{"a":"`),
    ),
  );
  for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 413/);
  expect(process.memoryUsage().rss - before).toBeLessThan(600 * 1024 * 1024);
  expect(await lives()).toBe(true);
});

test('CVE-2024-6468: a client that a listener with the PROXY protocol refuses ends no listener', async () => {
  const [host = '', port = ''] = (engine.addresses[1] ?? '').split(':');
  const send = (text: string): Promise<string> =>
    new Promise((resolve) => {
      let answer = '';
      const socket = connect(Number(port), host, () => socket.write(text));
      socket.setTimeout(3000, () => socket.destroy());
      socket.on('data', (data) => (answer += data.toString()));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(answer));
    });
  for (const text of [
    'PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nGET /v1/sys/health HTTP/1.0\r\n\r\n',
    'PROXY UNKNOWN\r\n',
    'GET /v1/sys/health HTTP/1.0\r\n\r\n',
    '\u0000'.repeat(100),
  ])
    expect(await send(text)).not.toContain('"initialized"');
  expect(await lives()).toBe(true);
  await new Promise<void>((resolve, reject) => {
    const socket = connect(Number(port), host, () => {
      socket.destroy();
      resolve();
    });
    socket.on('error', reject);
  });
});

test('CVE-2026-5807 CVE-2025-4656 CVE-2025-52894: a stranger neither begins nor cancels what a quorum does', async () => {
  const begun = await engine.call('PUT', 'sys/generate-root/attempt', {});
  expect([200, 400]).toContain(begun.status);
  const rekey = await engine.call('PUT', 'sys/rekey-recovery-key/init', {
    secret_shares: 1,
    secret_threshold: 1,
  });
  expect(rekey.status).toBe(200);
  const poor = await tokenWith(engine, 'path "kv/*" { capabilities = ["read"] }');
  for (const token of ['', poor])
    for (const path of [
      'sys/generate-root/attempt',
      'sys/rekey/init',
      'sys/rekey-recovery-key/init',
      'sys/rekey/verify',
      'sys/rekey-recovery-key/verify',
      'sys/rotate/recovery/init',
      'sys/rotate/root/init',
    ])
      for (const method of ['PUT', 'POST', 'DELETE']) {
        const { status } = await engine.call(method, path, method === 'DELETE' ? undefined : {}, token);
        expect([method, path, status]).toEqual([method, path, 403]);
      }
  const still = await engine.call('GET', 'sys/rekey-recovery-key/init');
  expect(still.body).toMatchObject({ started: true, nonce: rekey.body.nonce });
  // Its owner ends it by the nonce; another's guess of one does not.
  await engine.call('DELETE', 'sys/rekey-recovery-key/init', { nonce: rekey.body.nonce });
  expect((await engine.call('GET', 'sys/rekey-recovery-key/init')).body.started).toBe(false);
  await engine.call('DELETE', 'sys/generate-root/attempt');
});

test('CVE-2026-4525: a token in the Authorization header is the engine’s alone: no backend, answer or log has it', async () => {
  await engine.call('POST', 'sys/auth/jwt', {
    type: 'jwt',
    config: { passthrough_request_headers: ['Authorization'] },
  });
  await engine.call('POST', 'sys/mounts/kv/tune', { passthrough_request_headers: ['Authorization'] });
  const headers = { Authorization: `Bearer ${engine.root}` };
  for (const path of [
    'auth/jwt/login',
    'auth/jwt/config',
    'kv/a',
    'identity/oidc/provider/default/userinfo',
  ]) {
    const answer = await engine.call('GET', path, undefined, '', headers);
    expect(JSON.stringify(answer.body ?? '')).not.toContain(engine.root);
    expect([...answer.headers.values()].join()).not.toContain(engine.root);
  }
  expect(engine.logLines.join('')).not.toContain(engine.root);
  expect((await engine.call('GET', 'auth/token/lookup-self', undefined, '', headers)).status).toBe(200);
});

test('CVE-2020-13223: what stands in the environment for a proxy is not in the log', async () => {
  const started = new EngineProcess(makeToken('canary-pin-9'));
  const proxy = 'http://user:canary-proxy-password@proxy.example:3128';
  await started.start({
    env: {
      HTTP_PROXY: proxy,
      HTTPS_PROXY: proxy,
      ALL_PROXY: proxy,
      https_proxy: proxy,
      NO_PROXY: 'canary-no-proxy',
    },
  });
  await started.until(async () => (await started.call('GET', 'sys/seal-status'))?.status === 200);
  await started.kill('SIGTERM');
  expect(started.output).not.toContain('canary-proxy-password');
  expect(started.output).not.toContain('canary-no-proxy');
  await started.remove();
});

test('CVE-2020-35192: the image has no user with a password, and does not run as root', () => {
  const dockerfile = readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8');
  const [, last = ''] = dockerfile.split(/^FROM \$\{BASE\}$/m);
  expect(last).toMatch(/^USER (\d+):(\d+)$/m);
  expect(last).not.toMatch(/^USER (?:0|root)/m);
  expect(last).not.toMatch(/passwd|chpasswd|-p /);
  expect(last).toMatch(/--shell \/usr\/sbin\/nologin/);
});

test('GHSA-34fc-gh42-pj53: tokens are compared in a time that tells nothing of them', async () => {
  // The recovery token is the one that is compared, not looked up; it is by this function.
  const source = readFileSync(new URL('../../src/engine/core/recovery-mode.ts', import.meta.url), 'utf8');
  expect(source).toMatch(/storageFor\(token: string\)[^}]*equalBytes\(/);
  expect(equalBytes(new Uint8Array([1, 2]), new Uint8Array([1, 2]))).toBe(true);
  expect(equalBytes(new Uint8Array([1, 2]), new Uint8Array([1, 3]))).toBe(false);
  const bytes = readFileSync(new URL('../../src/lib/bytes.ts', import.meta.url), 'utf8');
  expect(bytes).toMatch(/equalBytes[^}]*timingSafeEqual/);
});
