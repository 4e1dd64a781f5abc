import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

describe('bad input', () => {
  let engine: TestEngine;
  beforeAll(async () => {
    engine = await TestEngine.initialized();
    await engine.call('POST', 'sys/mounts/secret', { type: 'kv-v2' });
    await engine.call('POST', 'sys/mounts/kv1', { type: 'kv' });
  });
  afterAll(() => engine.stop());

  test.each([
    ['POST', 'kv1/a', 'not json', 400],
    ['POST', 'kv1/a', '[1]', 400],
    ['POST', 'kv1/a', '"text"', 400],
    ['POST', 'kv1/a', '{"a":1', 400],
    ['POST', 'kv1/a', `${'['.repeat(10_000)}${']'.repeat(10_000)}`, 400],
    ['POST', 'kv1/a', '{}', 400],
    ['POST', 'secret/data/a', '{"data":"text"}', 400],
    ['POST', 'secret/data/a', '{"data":{"a":1},"options":{"cas":"x"}}', 400],
    ['POST', 'secret/config', '{"max_versions":"many"}', 400],
    ['GET', 'kv1/a/../../sys/mounts', undefined, 400],
    ['GET', 'kv1/%2e%2e/x', undefined, 400],
    ['GET', 'kv1/%zz', undefined, 400],
    ['GET', 'kv1/a%00b', undefined, 400],
    ['GET', `kv1/${'x'.repeat(2000)}`, undefined, 400],
    ['POST', 'sys/mounts/a', '{"type":"nosuch"}', 400],
    ['POST', 'sys/mounts/a', '{}', 400],
    ['POST', 'sys/mounts/secret/inner', '{"type":"kv"}', 400],
    ['POST', 'sys/mounts/sys', '{"type":"kv"}', 400],
    ['DELETE', 'sys/mounts/sys', undefined, 400],
    ['DELETE', 'sys/mounts/cubbyhole', undefined, 400],
    ['DELETE', 'sys/auth/token', undefined, 400],
    ['POST', 'sys/mounts/b', '{"type":"kv","config":{"default_lease_ttl":"soon"}}', 400],
    ['PUT', 'sys/policies/acl/p', '{"policy":"path \\"x\\" { capabilities = [\\"fly\\"] }"}', 400],
    ['OPTIONS', 'kv1/a', undefined, 405],
    ['GET', 'sys/nonexistent', undefined, 404],
    ['POST', 'auth/nothing/login', '{}', 404],
  ] as const)('%s %s with %s is answered %d', async (method, path, body, status) => {
    // Straight to the socket: fetch would clean the path.
    const answer = await raw(engine, method, path, body);
    expect(answer.status).toBe(status);
    expect(Array.isArray(JSON.parse(answer.body).errors)).toBe(true);
    expect((await engine.call('GET', 'sys/health')).status).toBe(200);
  });

  test('a deep, valid body is stored and comes back', async () => {
    const deep = `{"a":${'{"b":'.repeat(290)}1${'}'.repeat(290)}}`;
    expect((await raw(engine, 'POST', 'kv1/deep', deep)).status).toBe(204);
    expect((await raw(engine, 'GET', 'kv1/deep')).body).toContain('{"b":1}');
  });

  test('a body beyond the limit gets 413, whether or not its length is told', async () => {
    const big = Buffer.alloc(33 * 1024 * 1024, 0x20);
    const told = await fetch(`${engine.address}/v1/kv1/big`, {
      method: 'POST',
      headers: { 'X-Vault-Token': engine.root },
      body: big,
    });
    expect(told.status).toBe(413);
    expect((await engine.call('GET', 'sys/health')).status).toBe(200);
  });

  test('headers that would change the meaning of a request are refused, not ignored', async () => {
    expect(
      (await engine.call('GET', 'kv1/a', undefined, undefined, { 'X-Vault-Namespace': 'team' })).status,
    ).toBe(400);
    expect(
      (await engine.call('GET', 'kv1/deep', undefined, undefined, { 'X-Vault-Wrap-TTL': 'soon' })).status,
    ).toBe(400);
  });

  test('paths outside the API are 404', async () => {
    expect((await fetch(`${engine.address}/`)).status).toBe(404);
    expect((await fetch(`${engine.address}/v2/sys/health`)).status).toBe(404);
    expect((await fetch(`${engine.address}/v1/sys/health`, { method: 'HEAD' })).status).toBe(200);
  });
});

function raw(
  engine: TestEngine,
  method: string,
  path: string,
  body?: string,
): Promise<{ status: number; body: string }> {
  const { hostname, port } = new URL(engine.address);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('end', () => {
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
      resolve({ status, body: text.slice(text.indexOf('\r\n\r\n') + 4) });
    });
    const length = body === undefined ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    socket.write(
      `${method} /v1/${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Vault-Token: ${engine.root}\r\n${length}\r\n${body ?? ''}`,
    );
  });
}

describe('audit', () => {
  const dir = mkdtempSync(join(tmpdir(), 'audit-'));
  const file = join(dir, 'audit.log');
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test('every request and answer is there, and no value of them in the clear', async () => {
    const engine = await TestEngine.initialized({ audit: [{ file: { file_path: file } }] });
    try {
      await engine.call('POST', 'sys/mounts/secret', { type: 'kv-v2' });
      await engine.call('POST', 'secret/data/app', { data: { password: 'canary-value-9Zp' } });
      await engine.call('GET', 'secret/data/app');
      await engine.call('GET', 'secret/data/app', undefined, 'canary-wrong-token');
      const created = await engine.call('POST', 'auth/token/create', { policies: ['default'] });
      const text = readFileSync(file, 'utf8');
      const lines = text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      const of = (path: string) => lines.filter((line) => line.request.path === path);
      expect(of('secret/data/app').map((line) => `${line.type} ${line.request.operation}`)).toEqual([
        'request create',
        'response create',
        'request read',
        'response read',
        'request read',
        'response read',
      ]);
      expect(of('secret/data/app').at(-1).error).toContain('permission denied');
      for (const secret of [
        'canary-value-9Zp',
        'canary-wrong-token',
        engine.root,
        created.body.auth.client_token,
        engine.token.pin,
      ])
        expect(text).not.toContain(secret);
      expect(text).toContain('hmac-sha256:');
    } finally {
      await engine.stop();
    }
  });

  test('a request that no device can log is refused and has not happened; SIGHUP reopens', async () => {
    const engine = await TestEngine.initialized({
      audit: [{ file: { file_path: '/dev/full', mode: '0000' } }],
    });
    try {
      expect((await engine.call('PUT', 'cubbyhole/a', { v: 1 })).status).toBe(500);
      expect((await engine.call('GET', 'auth/token/lookup-self')).status).toBe(500);
      expect((await engine.call('GET', 'sys/health')).status).toBe(200);
    } finally {
      await engine.stop();
    }
  });

  test('a rotated file is followed after reload', async () => {
    const engine = await TestEngine.initialized({ audit: [{ file: { file_path: file } }] });
    try {
      renameSync(file, `${file}.1`);
      await engine.reload();
      await engine.call('GET', 'auth/token/lookup-self');
      expect(existsSync(file)).toBe(true);
      expect(readFileSync(file, 'utf8')).toContain('auth/token/lookup-self');
    } finally {
      await engine.stop();
    }
  });
});
