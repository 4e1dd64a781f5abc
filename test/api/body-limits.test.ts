import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/mounts/kv1', { type: 'kv' });
});
afterAll(async () => engine.stop());

const members = (count: number): string =>
  `{${Array.from({ length: count }, (_, index) => `"k${index}":1`).join(',')}}`;
const failed = (reason: string): object => ({ errors: [`failed to decode JSON input: ${reason}`] });

describe('with a good token', () => {
  test.each([
    ['members', members(10_000), members(10_001), 'JSON object exceeds allowed entry count'],
    [
      'elements',
      `{"a":[${'1,'.repeat(9_999)}1]}`,
      `{"a":[${'1,'.repeat(10_000)}1]}`,
      'JSON array exceeds allowed element count',
    ],
    [
      'depth',
      `${'{"a":'.repeat(300)}1${'}'.repeat(300)}`,
      `${'{"a":'.repeat(301)}1${'}'.repeat(301)}`,
      'JSON input exceeds allowed nesting depth',
    ],
    [
      'length',
      `{"a":"${'x'.repeat(1_048_576)}"}`,
      `{"a":"${'x'.repeat(1_048_577)}"}`,
      'JSON string value exceeds allowed length',
    ],
  ])('%s: at the limit is stored, beyond it is 400', async (_what, at, beyond, reason) => {
    expect((await engine.call('POST', 'kv1/a', at)).status).toBe(204);
    const answer = await engine.call('POST', 'kv1/a', beyond);
    expect([answer.status, answer.body]).toEqual([400, failed(reason)]);
  });
});

describe('a stranger', () => {
  test('has smaller limits', async () => {
    const many = await engine.call('POST', 'auth/userpass/login/u', members(1001), '');
    expect([many.status, many.body]).toEqual([400, failed('JSON object exceeds allowed entry count')]);
    const large = await engine.call('POST', 'auth/x/login', `{"a":"${'x'.repeat(5 << 20)}"}`, '');
    expect([large.status, large.body]).toEqual([413, { errors: ['request body too large'] }]);
    expect((await engine.call('POST', 'auth/x/login', members(900), '')).status).toBe(403);
  });

  test('gets no others by a token that is none', async () => {
    for (const body of [members(10_000), `{"a":"${'x'.repeat(5 << 20)}"}`]) {
      const answer = await engine.call('POST', 'kv1/a', body, 'hvs.none');
      expect([answer.status, answer.body]).toEqual([403, { errors: ['permission denied'] }]);
    }
  });

  test('sends no form and no query of ten thousand fields', async () => {
    const form = await engine.call('POST', 'auth/x/login', 'a=1&'.repeat(10_000), '', {
      'Content-Type': 'application/x-www-form-urlencoded',
    });
    expect([form.status, form.body]).toEqual([400, { errors: ['the form has more than 1000 fields'] }]);
    const query = await engine.call('GET', `sys/health?${'a&'.repeat(1500)}`, undefined, '');
    expect([query.status, query.body]).toEqual([
      400,
      { errors: ['the query has more than 1000 parameters'] },
    ]);
  });
});

test('limits of the listener are in force, and a negative one is refused by its name', async () => {
  const listener = (more: object): object => ({
    listener: [{ tcp: { address: '127.0.0.1:0', tls_disable: true, ...more } }],
  });
  await engine.reconfigure(listener({ max_json_object_entry_count: 2, max_json_depth: 3 }));
  await engine.active();
  expect((await engine.call('POST', 'kv1/a', '{"a":1,"b":2}')).status).toBe(204);
  expect((await engine.call('POST', 'kv1/a', '{"a":1,"b":2,"c":3}')).status).toBe(400);
  expect((await engine.call('POST', 'kv1/a', '{"a":[[[]]]}')).status).toBe(400);
  await expect(engine.reconfigure(listener({ max_json_depth: -1 }))).rejects.toThrow('max_json_depth');
  await engine.reconfigure({});
  await engine.active();
});

test.each([
  ['a head', 'GET /v1/sys/health HTTP/1.1\r\nHost: x\r\nX-A: ', 10_000],
  ['a body', 'POST /v1/auth/x/login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n', 30_000],
])(
  '%s that dribbles is cut when its time is over',
  async (_what, start, limit) => {
    const { hostname, port } = new URL(engine.address);
    const began = performance.now();
    const answer = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect(Number(port), hostname, () => socket.write(start));
      const dribble = setInterval(() => socket.write('x'), 200);
      socket.on('data', (chunk) => (text += String(chunk)));
      socket.on('error', () => undefined);
      socket.on('close', () => {
        clearInterval(dribble);
        resolve(text);
      });
    });
    expect(answer).toMatch(/^HTTP\/1\.1 40[08] /);
    const took = performance.now() - began;
    expect(took).toBeGreaterThan(limit - 500);
    expect(took).toBeLessThan(limit + 4000);
  },
  40_000,
);
