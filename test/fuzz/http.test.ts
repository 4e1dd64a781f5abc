import { connect } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from '../api/support/engine.ts';
import { fuzz } from './fuzz.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/mounts/kv1', { type: 'kv' });
  await engine.call('POST', 'sys/mounts/kv2', { type: 'kv-v2' });
  await engine.call('POST', 'sys/mounts/transit', { type: 'transit' });
  await engine.call('POST', 'sys/auth/userpass', { type: 'userpass' });
  await engine.call('POST', 'sys/auth/approle', { type: 'approle' });
  await engine.call('PUT', 'sys/audit/file', {
    type: 'file',
    options: { file_path: join(engine.dir, 'audit.log') },
  });
});
afterAll(async () => engine.stop());

/** Sends bytes as they are. @param leave whether nothing more will be sent, and the server is told so. @returns the statuses of what comes back until the connection ends */
function send(bytes: Buffer, leave: boolean): Promise<number[]> {
  const { port, hostname } = new URL(engine.address);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(Number(port), hostname, () => {
      if (leave) socket.end(bytes);
      else socket.write(bytes);
    });
    socket.setTimeout(20_000, () => {
      socket.destroy();
      reject(new Error(`no answer to ${JSON.stringify(bytes.toString('latin1').slice(0, 200))}`));
    });
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => resolve([]));
    socket.on('close', () => {
      const text = Buffer.concat(chunks).toString('latin1');
      resolve([...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status)));
    });
  });
}

const PATHS = [
  'kv1/a',
  'kv2/data/a',
  'kv2/metadata/a',
  'transit/keys/k',
  'transit/encrypt/k',
  'auth/token/create',
  'auth/token/lookup',
  'auth/userpass/users/u',
  'auth/userpass/login/u',
  'auth/approle/role/r',
  'auth/approle/login',
  'sys/policies/acl/p',
  'sys/mounts/m',
  'sys/capabilities-self',
  'sys/leases/lookup',
  'sys/wrapping/wrap',
  'sys/quotas/rate-limit/q',
  'sys/tools/hash',
  'identity/entity',
  'identity/lookup/entity',
  'cubbyhole/a',
];

const FIELDS = [
  'data',
  'options',
  'cas',
  'type',
  'ttl',
  'policies',
  'policy',
  'token',
  'path',
  'paths',
  'plaintext',
  'batch_input',
  'password',
  'role_id',
  'secret_id',
  'metadata',
  'meta',
  'rate',
  'config',
  'name',
  'id',
  '__proto__',
  'constructor',
  'toString',
];

const value = fc.oneof(
  fc.json(),
  fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
  fc.constantFrom(
    '1e999',
    '-0',
    '18446744073709551616',
    '0.1e-400',
    '"1h"',
    '"-1h"',
    '[]',
    '{}',
    '[[]]',
    'null',
  ),
  fc.nat(30_000).map((depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`),
);

const body = fc.oneof(
  fc
    .array(fc.tuple(fc.constantFrom(...FIELDS), value), { maxLength: 5 })
    .map((members) => `{${members.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`),
  fc.string({ unit: 'binary' }),
  fc.json(),
);

const path = fc.oneof(
  fc.constantFrom(...PATHS),
  fc.tuple(fc.constantFrom(...PATHS), fc.webPath()).map(([base, more]) => `${base}${more}`),
  fc
    .tuple(fc.constantFrom(...PATHS), fc.string({ unit: 'binary', maxLength: 30 }))
    .map(([base, more]) => `${base}/${encodeURIComponent(more.replaceAll(/[\ud800-\udfff]/g, ''))}`),
  fc.constantFrom('..', 'kv1/../sys/seal', 'kv1/%2e%2e/sys', 'kv1/%2f', 'kv1/%', 'kv1/%00', '//', ''),
);

const method = fc.constantFrom('GET', 'LIST', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS');

test('whatever a client sends to the API, it gets a documented status, and the next one is served', async () => {
  await fuzz(
    fc.record({ method, path, body, query: fc.webQueryParameters() }),
    async (request) => {
      // Sealing and the audit device are the two things that a body may rightly break.
      if (/sys\/(?:seal|audit)/.test(decodeURIComponent(request.path.replaceAll('%', '%25')))) return;
      const bytes = Buffer.from(request.body);
      const head = `${request.method} /v1/${request.path}?${request.query} HTTP/1.1\r\nHost: x\r\nX-Vault-Token: ${engine.root}\r\nContent-Type: ${request.method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'}\r\nContent-Length: ${bytes.length}\r\nConnection: close\r\n\r\n`;
      const [status = 0] = await send(Buffer.concat([Buffer.from(head), bytes]), false);
      expect([200, 202, 204, 307, 400, 403, 404, 405, 413, 415, 429, 472, 473, 501, 503]).toContain(status);
    },
    [
      { method: 'DELETE', path: '//', query: '', body: `{"data":${'['.repeat(990)}${']'.repeat(990)}}` },
      {
        method: 'POST',
        path: 'kv1/a',
        query: '',
        body: `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`,
      },
    ],
  );
  expect((await engine.call('GET', 'sys/health')).status).toBe(200);
  expect(engine.logLines.join('')).not.toContain(engine.root);
});

const header = fc.oneof(
  fc.constantFrom(
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: chunked, identity',
    'Content-Length: 5',
    'Content-Length: -1',
    'Content-Length: 5, 5',
    'Content-Length: 99999999999999999999',
    'Transfer-Encoding : chunked',
    'X-Vault-Token: a\tb',
    'X-Vault-Namespace: ../..',
    'X-Vault-Wrap-TTL: 1e9999',
    'Expect: 100-continue',
    'Upgrade: h2c',
    'Connection: Upgrade, HTTP2-Settings',
    'Origin: null',
    'Authorization: Basic :',
    'Authorization: Bearer ',
  ),
  fc
    .tuple(fc.stringMatching(/^[A-Za-z-]{1,12}$/), fc.string({ unit: 'binary', maxLength: 20 }))
    .map(([name, text]) => `${name}: ${text}`),
);

test('heads that lie or are cut off end the connection at most, and never the process', async () => {
  const message = fc
    .record({
      method: fc.oneof(method, fc.constant('SCAN'), fc.string({ unit: 'binary', maxLength: 6 })),
      path,
      headers: fc.array(header, { maxLength: 6 }),
      body: fc.oneof(
        body,
        fc.constantFrom(
          '5\r\nhello\r\n0\r\n\r\n',
          'fffffffffffffffff\r\n',
          '0\r\n\r\nGET / HTTP/1.1\r\n\r\n',
        ),
      ),
      cut: fc.option(fc.nat(200)),
      twice: fc.boolean(),
    })
    .map(({ method: verb, path: place, headers, body: text, cut, twice }) => {
      const one = `${verb} /v1/${place} HTTP/1.1\r\nHost: x\r\n${headers.map((each) => `${each}\r\n`).join('')}\r\n${text}`;
      const whole = Buffer.from(twice ? one + one : one, 'latin1');
      return cut === null ? whole : whole.subarray(0, cut);
    });
  await fuzz(
    message,
    async (bytes) => {
      for (const status of await send(bytes, true)) {
        expect(status).toBeGreaterThanOrEqual(100);
        expect(status).not.toBe(500);
      }
    },
    [
      // A LIST request is read by a second parser: the first one must outlive its own read.
      Buffer.from(
        'LIST /v1/kv1/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\nLIST /v1/kv1/ HTTP/1.1\r\nHost: x\r\n\r\n',
      ),
    ],
  );
  expect((await engine.call('GET', 'sys/health')).status).toBe(200);
});
