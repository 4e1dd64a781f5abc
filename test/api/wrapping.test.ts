import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/mounts/secret', { type: 'kv-v2' });
  await engine.call('POST', 'secret/data/app', { data: { password: 'canary-wrapped' } });
});
afterAll(() => engine.stop());

const wrapped = async (ttl = '60s', path = 'secret/data/app'): Promise<any> =>
  (await engine.call('GET', path, undefined, undefined, { 'X-Vault-Wrap-TTL': ttl })).body;

describe('response wrapping', () => {
  test('the token stands for the answer, once, and nothing of the answer is in the first reply', async () => {
    const body = await wrapped();
    expect(body).toMatchObject({
      request_id: '',
      data: null,
      auth: null,
      wrap_info: { ttl: 60, creation_path: 'secret/data/app' },
    });
    expect(JSON.stringify(body)).not.toContain('canary-wrapped');
    const { token } = body.wrap_info;
    expect((await engine.call('PUT', 'sys/wrapping/lookup', { token }, '')).body.data).toMatchObject({
      creation_ttl: 60,
      creation_path: 'secret/data/app',
    });
    const opened = await engine.call('PUT', 'sys/wrapping/unwrap', undefined, token);
    expect(opened).toMatchObject({
      status: 200,
      body: { wrap_info: null, data: { data: { password: 'canary-wrapped' } } },
    });
    expect((await engine.call('PUT', 'sys/wrapping/unwrap', { token })).status).toBe(400);
    expect((await engine.call('PUT', 'sys/wrapping/unwrap', undefined, token)).status).toBe(400);
  });

  test('of many who unwrap at once one gets the answer', async () => {
    const { token } = (await wrapped()).wrap_info;
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => engine.call('PUT', 'sys/wrapping/unwrap', undefined, token)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const { token: named } = (await wrapped()).wrap_info;
    const others = await Promise.all(
      Array.from({ length: 8 }, () => engine.call('PUT', 'sys/wrapping/unwrap', { token: named })),
    );
    expect(others.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test('a wrapping token may do nothing else, and expires with its answer', async () => {
    const { token } = (await wrapped()).wrap_info;
    expect((await engine.call('GET', 'secret/data/app', undefined, token)).status).toBe(403);
    const short = (await wrapped('1s')).wrap_info;
    await new Promise((resolve) => setTimeout(resolve, 1300));
    expect((await engine.call('PUT', 'sys/wrapping/unwrap', { token: short.token })).status).toBe(400);
  });

  test('rewrap moves the answer, a token creation can be wrapped, refusals never are', async () => {
    const { token } = (await wrapped()).wrap_info;
    const moved = (await engine.call('PUT', 'sys/wrapping/rewrap', { token })).body.wrap_info;
    expect(moved.creation_path).toBe('secret/data/app');
    expect((await engine.call('PUT', 'sys/wrapping/unwrap', { token })).status).toBe(400);
    expect(
      (await engine.call('PUT', 'sys/wrapping/unwrap', { token: moved.token })).body.data.data.password,
    ).toBe('canary-wrapped');
    const created = await engine.call('POST', 'auth/token/create', { policies: ['default'] }, undefined, {
      'X-Vault-Wrap-TTL': '60',
    });
    expect(created.body.auth).toBeNull();
    expect(created.body.wrap_info.wrapped_accessor).toMatch(/^[A-Za-z0-9]{24}$/);
    const auth = (await engine.call('PUT', 'sys/wrapping/unwrap', { token: created.body.wrap_info.token }))
      .body.auth;
    expect(auth.accessor).toBe(created.body.wrap_info.wrapped_accessor);
    expect(
      await engine.call('GET', 'secret/data/none', undefined, undefined, { 'X-Vault-Wrap-TTL': '60' }),
    ).toMatchObject({ status: 404, body: { errors: [] } });
    expect((await engine.call('PUT', 'sys/wrapping/wrap', { a: 1 })).status).toBe(400);
    expect(
      (
        await engine.call('PUT', 'sys/policies/acl/response-wrapping', {
          policy: 'path "*" { capabilities = ["read"] }',
        })
      ).status,
    ).toBe(400);
  });

  test('what is wrapped lies encrypted, under no name that gives the token away', async () => {
    const { token } = (await wrapped()).wrap_info;
    const data = readFileSync(join(engine.dir, 'data', 'data.mdb')).toString('latin1');
    expect(data).not.toContain(token);
    expect(data).not.toContain('canary-wrapped');
  });
});
