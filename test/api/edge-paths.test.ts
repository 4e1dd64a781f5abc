import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  for (const type of ['kv', 'kv-v2', 'transit', 'pki', 'ssh', 'totp', 'database'])
    await engine.call('POST', `sys/mounts/${type}`, { type });
  for (const type of ['userpass', 'approle', 'ldap', 'jwt', 'cert', 'kubernetes'])
    await engine.call('POST', `sys/auth/${type}`, { type });
});
afterAll(() => engine.stop());

interface Raw {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

/** A request as it is written: fetch cleans paths, and sends what it thinks best. */
function send(text: string | readonly string[]): Promise<Raw> {
  const { hostname, port } = new URL(engine.address);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => {
      const [headers = ''] = answer.split('\r\n\r\n');
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
      resolve({ status, headers, body: answer.slice(headers.length + 4) });
    });
    for (const part of typeof text === 'string' ? [text] : text) socket.write(part);
  });
}

const request = (method: string, target: string, headers: readonly string[] = [], body = ''): string =>
  [
    `${method} ${target} HTTP/1.1`,
    'Host: x',
    'Connection: close',
    `X-Vault-Token: ${engine.root}`,
    ...headers,
    ...(body === '' ? [] : [`Content-Length: ${body.length}`]),
    '',
    body,
  ].join('\r\n');

describe('a path that is not clean', () => {
  test.each(['GET', 'POST', 'PUT', 'DELETE', 'LIST', 'PATCH', 'HEAD'])('%s is redirected', async (method) => {
    const body = method === 'POST' || method === 'PUT' ? '{"data":{"a":1}}' : '';
    const answer = await send(request(method, '/v1/kv-v2//data/./a?x=%2F&y', [], body));
    expect(answer.status).toBe(307);
    expect(answer.headers).toMatch(/^Location: \/v1\/kv-v2\/data\/a\?x=%2F&y$/m);
    expect(answer.headers).toMatch(/^Cache-Control: no-store$/m);
  });

  test('a client that follows comes to what is meant, whatever it sends', async () => {
    await fetch(`${engine.address}//v1//kv-v2/data//followed`, {
      method: 'POST',
      headers: { 'X-Vault-Token': engine.root },
      body: JSON.stringify({ data: { a: 'b' } }),
    });
    expect((await engine.call('GET', 'kv-v2/data/followed')).body.data.data).toEqual({ a: 'b' });
    expect((await engine.call('LIST', 'kv-v2/metadata')).body.data.keys).toContain('followed');
  });

  test('a policy is asked about the path that is served', async () => {
    await engine.call('PUT', 'sys/policies/acl/narrow', {
      policy:
        'path "kv/*" { capabilities = ["read", "update", "create"] }\npath "kv/secret" { capabilities = ["deny"] }',
    });
    await engine.call('POST', 'kv/secret', { v: 1 });
    const { client_token: token } = (await engine.call('POST', 'auth/token/create', { policies: ['narrow'] }))
      .body.auth;
    for (const target of ['kv//secret', '/kv/secret', '//kv///secret'])
      expect([
        target,
        (await fetch(`${engine.address}/v1/${target}`, { headers: { 'X-Vault-Token': token } })).status,
      ]).toEqual([target, 403]);
    // Other names, not other ways to the same.
    for (const target of [
      'kv/%2Fsecret',
      'kv%2Fsecret',
      'kv/%2e/secret',
      'kv/x/%2e%2e/secret',
      'kv/secret%2F',
    ]) {
      const answer = await send(request('GET', `/v1/${target}`).replace(engine.root, token));
      expect([target, answer.body.includes('"v":1')]).toEqual([target, false]);
    }
    expect((await send(request('GET', '/v1/kv/x/%2e%2e/secret'))).status).toBe(400);
    expect((await send(request('GET', '/v1/kv%2Fsecret'))).body).toContain('"v":1');
  });

  test('a redirect leads nowhere else', async () => {
    for (const target of ['//evil.example/v1/a', '//evil.example//', '/\\evil.example', '/v2//a'])
      expect((await send(request('GET', target))).status).toBe(404);
  });
});

describe('a write to a path that ends in a slash', () => {
  test('is refused by every engine and method, and nothing is stored', async () => {
    const { router } = engine.vault.mounts;
    const prefixes = router.all().map(({ prefix }) => prefix);
    expect(prefixes.length).toBeGreaterThan(15);
    for (const prefix of prefixes) {
      for (const method of ['POST', 'PUT', 'PATCH'] as const) {
        for (const path of [`${prefix}a/`, prefix, `${prefix}a%2F`]) {
          const answer = await engine.call(method, path, { a: 1 });
          expect([method, path, answer.status, answer.body.errors]).toEqual([
            method,
            path,
            400,
            ["cannot write to a path ending in '/'"],
          ]);
        }
      }
    }
    expect((await engine.call('LIST', 'kv')).body.data?.keys ?? []).not.toContain('a/');
    for (const path of ['sys/init/', 'sys/unseal/', 'sys/mounts/more/'])
      expect((await engine.call('PUT', path, {})).status).toBe(400);
  });
});

describe('request lines and headers', () => {
  test.each([
    ['GET', 'http://elsewhere.example:99/v1/sys/health', 200],
    ['LIST', 'HTTP://x/v1/auth/token/accessors', 200],
    ['GET', 'http://x', 404],
    ['OPTIONS', '/v1/sys/health', 405],
    ['TRACE', '/v1/sys/health', 405],
    ['FOO', '/v1/sys/health', 405],
    ['CONNECT', 'x:80', 405],
    ['HEAD', '/v1/sys/health', 200],
    ['GET', '/v1/sys/mounts?list=maybe', 400],
    ['GET', '/v1/auth/token/accessors?list=true', 200],
    ['GET', '/v1/auth/token/accessors/?list=1', 200],
  ])('%s %s is answered %d', async (method, target, status) => {
    const answer = await send(request(method, target));
    expect(answer.status).toBe(status);
    if (status >= 400) expect(Array.isArray(JSON.parse(answer.body).errors)).toBe(true);
  });

  test.each([
    [10_000, 200],
    [900_000, 200],
    [1_100_000, 431],
  ])('headers of %d bytes are answered %d', async (size, status) => {
    const answer = await send(request('GET', '/v1/sys/health', [`X-Big: ${'x'.repeat(size)}`]));
    expect(answer.status).toBe(status);
    if (status === 431) expect(JSON.parse(answer.body).errors[0]).toContain('headers');
    expect((await engine.call('GET', 'sys/health')).status).toBe(200);
  });

  test('many who send large headers at once keep nobody from being served', async () => {
    const big = Array.from({ length: 60 }, () =>
      send(request('GET', '/v1/sys/health', [`X-Big: ${'x'.repeat(1_200_000)}`])).catch(() => undefined),
    );
    expect((await engine.call('GET', 'sys/health')).status).toBe(200);
    await Promise.all(big);
  });

  test.each([
    ['root/', 200],
    ['root', 200],
    ['/', 200],
    ['', 200],
    ['team', 400],
    ['root/team', 400],
    ['rootx', 400],
  ])('X-Vault-Namespace: %j is answered %d', async (namespace, status) => {
    const answer = await engine.call('GET', 'sys/mounts', undefined, undefined, {
      'X-Vault-Namespace': namespace,
    });
    expect(answer.status).toBe(status);
    if (namespace !== '' && status === 200) expect(answer.headers.get('x-vault-namespace')).toBe(namespace);
  });
});

describe('bodies', () => {
  const write = async (body: string, headers: Record<string, string> = {}): Promise<unknown> => {
    const answer = await engine.call('POST', 'cubbyhole/body', body, undefined, headers);
    if (answer.status !== 204) return answer.status;
    return (await engine.call('GET', 'cubbyhole/body')).body.data;
  };

  test.each([
    ['a=1&b=2&a=3', 'application/x-www-form-urlencoded', { a: '1,3', b: '2' }],
    ['a=%7B&b=x+y', 'application/x-www-form-urlencoded; charset=utf-8', { a: '{', b: 'x y' }],
    ['{"a":1}', 'application/x-www-form-urlencoded', { a: 1 }],
    ['{"a":1}', 'text/plain', { a: 1 }],
    ['a=1', 'application/json', 400],
    ['null', 'application/json', 400],
    ['', 'application/json', 400],
    ['   ', 'application/json', 400],
  ])('%j as %s', async (body, type, expected) => {
    expect(await write(body, { 'Content-Type': type })).toEqual(expected);
  });

  test.each(['gzip', 'deflate', 'br', 'gzip, identity'])('%s is refused with words', async (encoding) => {
    const answer = await engine.call('POST', 'cubbyhole/body', '{"a":1}', undefined, {
      'Content-Encoding': encoding,
    });
    expect(answer.status).toBe(415);
    expect(answer.body.errors[0]).toContain('Content-Encoding');
    expect(await write('{"a":1}', { 'Content-Encoding': 'identity' })).toEqual({ a: 1 });
  });

  test('Expect: 100-continue is answered before the body is sent', async () => {
    const answer = await send(request('POST', '/v1/cubbyhole/expected', ['Expect: 100-continue'], '{"a":1}'));
    expect(answer.headers).toBe('HTTP/1.1 100 Continue');
    expect(answer.body).toMatch(/^HTTP\/1.1 204 /);
  });
});

describe('descriptions', () => {
  test('what answers without a vault is in the OpenAPI document, with its fields', async () => {
    const { paths } = (await engine.call('GET', 'sys/internal/specs/openapi')).body;
    for (const name of ['health', 'init', 'leader', 'seal-status'])
      expect(paths[`/sys/${name}`]).toMatchObject({ get: {}, 'x-vault-unauthenticated': true });
    expect(paths['/sys/unseal'].post.requestBody.content['application/json'].schema.properties).toMatchObject(
      {
        key: { type: 'string' },
        reset: { type: 'boolean' },
        migrate: { type: 'boolean' },
      },
    );
    expect(paths['/sys/init'].post.requestBody.content['application/json'].schema.properties).toMatchObject({
      secret_shares: { type: 'integer' },
      pgp_keys: { type: 'array', items: { type: 'string' } },
    });
    expect(paths['/sys/raw/{path}']).toMatchObject({ get: {}, post: {}, delete: {}, 'x-vault-sudo': true });
  });

  test('every path of the document has its help', async () => {
    const { paths } = (await engine.call('GET', 'sys/internal/specs/openapi')).body as {
      paths: Record<string, object>;
    };
    const names = Object.keys(paths).filter((name) => !name.startsWith('/sys/raw'));
    expect(names.length).toBeGreaterThan(300);
    for (const name of names) {
      const path = name
        .slice(1)
        .replaceAll(/\{[^}]+\}/g, 'x')
        .replace(/\/$/, '');
      const answer = await engine.call('GET', `${path}?help=1`);
      expect([name, answer.status]).toEqual([name, 200]);
      expect([name, typeof answer.body.help]).toEqual([name, 'string']);
    }
    expect((await engine.call('GET', 'sys/health?help=1')).body.help).toContain('Returns the health status');
  });
});
