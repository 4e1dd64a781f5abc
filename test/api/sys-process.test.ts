import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized({ raw_storage_endpoint: true });
  await engine.call('POST', 'sys/mounts/kv', { type: 'kv' });
});
afterAll(async () => engine.stop());

describe('what the process is doing', () => {
  test('metrics have the names that dashboards know, in both forms', async () => {
    const json = await engine.call('GET', 'sys/metrics');
    expect(json.body).toMatchObject({ Points: [] });
    expect(json.body.Gauges).toContainEqual({ Name: 'vault.core.unsealed', Value: 1, Labels: {} });
    const timer = json.body.Samples.find(({ Name }: any) => Name === 'vault.core.handle_request');
    expect(timer.Count).toBeGreaterThan(0);
    const text = await (
      await fetch(`${engine.address}/v1/sys/metrics?format=prometheus`, {
        headers: { 'X-Vault-Token': engine.root },
      })
    ).text();
    expect(text).toMatch(/^vault_core_unsealed 1$/m);
    expect(text).toMatch(/^vault_core_handle_request\{quantile="0.5"\} [\d.]+$/m);
    await engine.call('POST', 'auth/token/create', { ttl: '1m' });
    const after = (await engine.call('GET', 'sys/metrics')).body;
    expect(after.Counters).toContainEqual(
      expect.objectContaining({
        Name: 'vault.token.creation',
        Labels: { auth_method: 'token', mount_point: 'auth/token/', token_type: 'service' },
      }),
    );
    expect((await engine.call('GET', 'sys/metrics?format=other')).status).toBe(400);
    expect((await engine.call('GET', 'sys/metrics', undefined, '')).status).toBe(403);
  });

  test('a request sees itself among those in flight', async () => {
    const { body } = await engine.call('GET', 'sys/in-flight-req');
    const [only] = Object.values<any>(body);
    expect(only).toMatchObject({ request_path: '/v1/sys/in-flight-req', request_method: 'GET' });
  });

  test('profiles are taken without opening a port, and heap figures hold no values', async () => {
    const cpu = await engine.call('GET', 'sys/pprof/profile?seconds=1');
    expect(cpu.body.nodes.length).toBeGreaterThan(0);
    expect((await engine.call('GET', 'sys/pprof/profile?seconds=0')).status).toBe(400);
    expect((await engine.call('GET', 'sys/pprof/heap')).body.data.used_heap_size).toBeGreaterThan(0);
    expect((await engine.call('GET', 'sys/pprof/cmdline')).body.data.cmdline).toEqual([]);
  });

  test('the sanitized configuration tells what is where', async () => {
    const { body } = await engine.call('GET', 'sys/config/state/sanitized');
    expect(body.data).toMatchObject({
      storage: { type: 'lmdb' },
      seals: [{ type: 'pkcs11' }],
      raw_storage_endpoint: true,
    });
    expect(JSON.stringify(body)).not.toContain('canary');
  });
});

describe('loggers and monitor', () => {
  test('levels are read, set one by one and reset', async () => {
    const levels = (await engine.call('GET', 'sys/loggers')).body.data;
    expect(levels).toMatchObject({ core: 'debug', http: 'debug' });
    expect((await engine.call('POST', 'sys/loggers/core', { level: 'error' })).status).toBe(204);
    expect((await engine.call('GET', 'sys/loggers/core')).body.data).toEqual({ core: 'error' });
    expect((await engine.call('GET', 'sys/loggers/http')).body.data).toEqual({ http: 'debug' });
    expect((await engine.call('POST', 'sys/loggers/core', { level: 'loud' })).status).toBe(400);
    expect((await engine.call('POST', 'sys/loggers/nothing', { level: 'info' })).status).toBe(400);
    expect((await engine.call('DELETE', 'sys/loggers/core')).status).toBe(204);
    expect((await engine.call('POST', 'sys/loggers', { level: 'warn' })).status).toBe(204);
    expect((await engine.call('GET', 'sys/loggers')).body.data.http).toBe('warn');
    expect((await engine.call('DELETE', 'sys/loggers')).status).toBe(204);
  });

  test('the log is streamed while somebody listens, at the level they ask for', async () => {
    const leave = new AbortController();
    const response = await fetch(`${engine.address}/v1/sys/monitor?log_level=debug`, {
      headers: { 'X-Vault-Token': engine.root },
      signal: leave.signal,
    });
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
    const reader = response.body?.getReader();
    const first = reader?.read();
    await engine.call('POST', 'sys/loggers', { level: 'error' });
    await engine.call('PUT', 'sys/seal');
    const text = new TextDecoder().decode((await first)?.value);
    expect(text).toMatch(/\[DEBUG\] core: lifecycle/);
    leave.abort();
    await reader?.cancel().catch(() => undefined);
    await engine.restart();
  });
});

describe('settings of the edge', () => {
  test('CORS is off until origins are named, and then for these alone', async () => {
    const from = (origin: string, method = 'GET', more: Record<string, string> = {}): Promise<Response> =>
      fetch(`${engine.address}/v1/sys/health`, { method, headers: { Origin: origin, ...more } });
    expect((await from('https://ui.example')).headers.get('access-control-allow-origin')).toBeNull();
    expect((await engine.call('POST', 'sys/config/cors', { enable: true })).status).toBe(400);
    expect(
      (await engine.call('POST', 'sys/config/cors', { allowed_origins: 'https://ui.example' })).status,
    ).toBe(204);
    expect((await engine.call('GET', 'sys/config/cors')).body).toMatchObject({
      enabled: true,
      allowed_origins: ['https://ui.example'],
    });
    expect((await from('https://ui.example')).headers.get('access-control-allow-origin')).toBe(
      'https://ui.example',
    );
    expect((await from('https://evil.example')).status).toBe(403);
    const preflight = await from('https://ui.example', 'OPTIONS', {
      'Access-Control-Request-Method': 'LIST',
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-headers')).toContain('X-Vault-Token');
    expect((await engine.call('DELETE', 'sys/config/cors')).status).toBe(204);
    expect((await from('https://evil.example')).status).toBe(200);
  });

  test('pages carry the headers that are set; names and values that could inject are refused', async () => {
    const set = (name: string, values: unknown): Promise<{ status: number }> =>
      engine.call('POST', `sys/config/ui/headers/${name}`, { values });
    expect((await set('X-Custom', ['one'])).status).toBe(204);
    expect((await set('X-Vault-Foo', ['one'])).status).toBe(400);
    expect((await set('X-Bad', ['a\r\nSet-Cookie: b'])).status).toBe(400);
    expect((await engine.call('GET', 'sys/config/ui/headers/X-Custom')).body.data).toEqual({ value: 'one' });
    expect((await fetch(`${engine.address}/ui`)).headers.get('x-custom')).toBe('one');
    expect((await engine.call('LIST', 'sys/config/ui/headers')).body.data.keys).toEqual(['X-Custom']);
    await engine.call('DELETE', 'sys/config/ui/headers/X-Custom');
    expect((await engine.call('GET', 'sys/config/ui/headers/X-Custom')).status).toBe(404);
  });

  test('a header with a credential is audited as an HMAC only', async () => {
    expect((await engine.call('POST', 'sys/config/auditing/request-headers/X-Vault-Token', {})).status).toBe(
      400,
    );
    expect(
      (await engine.call('POST', 'sys/config/auditing/request-headers/X-Forwarded-For', { hmac: true }))
        .status,
    ).toBe(204);
    expect((await engine.call('GET', 'sys/config/auditing/request-headers')).body.data.headers).toEqual({
      'x-forwarded-for': { hmac: true },
    });
    await engine.restart();
    expect(
      (await engine.call('GET', 'sys/config/auditing/request-headers/x-forwarded-for')).body.data,
    ).toEqual({ 'x-forwarded-for': { hmac: true } });
  });
});

describe('quotas', () => {
  test('a client that sends too many is told so, and when to come back', async () => {
    expect((await engine.call('POST', 'sys/quotas/rate-limit/kv', { path: 'nowhere', rate: 1 })).status).toBe(
      400,
    );
    expect((await engine.call('POST', 'sys/quotas/rate-limit/kv', { path: 'kv', rate: 'x' })).status).toBe(
      400,
    );
    await engine.call('POST', 'sys/quotas/config', { enable_rate_limit_response_headers: true });
    await engine.call('PUT', 'kv/a', { b: 'c' });
    expect(
      (await engine.call('POST', 'sys/quotas/rate-limit/kv', { path: 'kv', rate: 2, interval: '1h' })).status,
    ).toBe(204);
    expect((await engine.call('GET', 'sys/quotas/rate-limit/kv')).body.data).toMatchObject({
      path: 'kv/',
      rate: 2,
      interval: 3600,
    });
    const statuses = [];
    for (let tries = 0; tries < 4; tries += 1) statuses.push(await engine.call('GET', 'kv/a'));
    expect(statuses.map(({ status }) => status)).toEqual([200, 200, 429, 429]);
    expect(statuses[0]?.headers.get('x-ratelimit-remaining')).toBe('1');
    expect(Number(statuses[3]?.headers.get('retry-after'))).toBeGreaterThan(3000);
    expect((await engine.call('GET', 'sys/mounts')).status).toBe(200);
    await engine.restart();
    expect((await engine.call('LIST', 'sys/quotas/rate-limit')).body.data.keys).toEqual(['kv']);
    await engine.call('DELETE', 'sys/quotas/rate-limit/kv');
    for (let tries = 0; tries < 4; tries += 1) expect((await engine.call('GET', 'kv/a')).status).toBe(200);
  });

  test('of several quotas the closest one counts', async () => {
    await engine.call('POST', 'sys/quotas/rate-limit/all', { rate: 1000, interval: '1h' });
    await engine.call('POST', 'sys/quotas/rate-limit/one', { path: 'kv/strict', rate: 1, interval: '1h' });
    expect((await engine.call('GET', 'kv/strict')).status).toBe(404);
    expect((await engine.call('GET', 'kv/strict')).status).toBe(429);
    expect((await engine.call('GET', 'kv/a')).status).toBe(200);
    for (const name of ['all', 'one']) await engine.call('DELETE', `sys/quotas/rate-limit/${name}`);
  });
});

describe('lease count quotas', () => {
  test('so many leases and no more; a place that was given back is free again', async () => {
    await engine.call('POST', 'sys/mounts/pki', { type: 'pki' });
    await engine.call('POST', 'pki/root/generate/internal', { common_name: 'Root', ttl: '24h' });
    await engine.call('POST', 'pki/roles/web', { allow_any_name: true, generate_lease: true, ttl: '1h' });
    await engine.call('PUT', 'sys/policies/acl/web', {
      policy: 'path "pki/issue/*" { capabilities = ["update"] }',
    });
    const { client_token: member } = (await engine.call('POST', 'auth/token/create', { policies: ['web'] }))
      .body.auth;
    // A root token would not be refused.
    const issue = (): ReturnType<typeof engine.call> =>
      engine.call('POST', 'pki/issue/web', { common_name: 'a.example' }, member);
    const first = await issue();
    const quota = (body: object): ReturnType<typeof engine.call> =>
      engine.call('POST', 'sys/quotas/lease-count/pki', body);
    expect((await quota({ path: 'pki', max_leases: 0 })).status).toBe(400);
    expect((await quota({ path: 'nowhere', max_leases: 1 })).status).toBe(400);
    expect((await quota({ path: 'pki', max_leases: 3 })).status).toBe(204);
    const answers = await Promise.all([issue(), issue(), issue(), issue()]);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(2);
    expect(answers.find(({ status }) => status === 429)?.body.errors[0]).toMatch(
      /lease count quota exceeded/,
    );
    expect((await engine.call('GET', 'sys/quotas/lease-count/pki')).body.data).toMatchObject({
      path: 'pki/',
      max_leases: 3,
      counter: 3,
    });
    await engine.call('PUT', 'sys/leases/revoke', { lease_id: first.body.lease_id, sync: true });
    // A refused request takes no place.
    expect((await engine.call('POST', 'pki/issue/nobody', { common_name: 'x' })).status).toBe(400);
    expect((await issue()).status).toBe(200);
    await engine.restart();
    expect((await issue()).status).toBe(429);
    await engine.call('DELETE', 'sys/quotas/lease-count/pki');
    expect((await issue()).status).toBe(200);
  });
});

describe('raw storage', () => {
  test('shows and changes what lies behind the barrier, but nothing that keys hang on', async () => {
    expect((await engine.call('LIST', 'sys/raw/core')).body.data.keys).toContain('mounts');
    expect((await engine.call('PUT', 'sys/raw/test/a', { value: 'b' })).status).toBe(204);
    expect((await engine.call('GET', 'sys/raw/test/a')).body.data).toEqual({ value: 'b' });
    expect((await engine.call('GET', 'sys/raw/test/a?encoding=base64')).body.data).toEqual({ value: 'Yg==' });
    for (const key of ['core/keyring', 'core/hsm/barrier-unseal-keys', 'core/recovery-key'])
      for (const method of ['GET', 'PUT', 'DELETE'])
        expect((await engine.call(method, `sys/raw/${key}`, method === 'PUT' ? {} : undefined)).status).toBe(
          400,
        );
    expect((await engine.call('DELETE', 'sys/raw/test/a')).status).toBe(204);
    expect((await engine.call('GET', 'sys/raw/test/a')).status).toBe(404);
  });
});

describe('help and OpenAPI', () => {
  test('every endpoint explains itself from the table that serves it', async () => {
    const { body } = await engine.call('GET', 'sys/mounts/x?help=1');
    expect(body.help).toContain('default_lease_ttl');
    expect(Object.keys(body.openapi.paths)).toEqual(['/sys/mounts/{path}']);
    expect((await engine.call('GET', 'kv/x?help=1', undefined, '')).status).toBe(403);
    const document = await engine.call('GET', 'sys/internal/specs/openapi');
    expect(document.body.paths['/kv/{path}'].get.responses).toBeDefined();
    expect(document.body.paths['/sys/seal']['x-vault-sudo']).toBe(true);
  });
});
