import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start({ ui: true });
});
afterAll(() => engine.stop());

describe('the server', () => {
  test('gives the page with headers that let it load nothing but itself', async () => {
    const answer = await fetch(`${engine.address}/ui/ceremony/`);
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cache-control': 'no-store',
    });
    const html = await answer.text();
    expect(html).not.toMatch(/ style=| on\w+=|<script>|<style>|https?:\/\//);
  });

  test.each([
    ['GET', '/ui', 307],
    ['GET', '/ui/', 307],
    ['GET', '/ui/ceremony', 307],
    ['HEAD', '/ui/ceremony/', 200],
    ['GET', '/ui/ceremony/main.js', 200],
    ['GET', '/ui/ceremony/openpgp/openpgp.min.mjs', 200],
    ['POST', '/ui/ceremony/', 405],
    ['GET', '/ui/ceremony/index.html', 404],
    ['GET', '/ui/ceremony/../pages.ts', 404],
    ['GET', '/ui/ceremony/%2e%2e/pages.ts', 404],
    ['GET', '/ui/ceremony/..%2fpages.ts', 404],
    ['GET', '/ui/ceremony/constructor', 404],
    ['GET', '/ui/other', 404],
    ['GET', '/uix', 404],
    ['GET', '/', 404],
  ])('%s %s is answered %d', async (method, path, status) => {
    const answer = await fetch(`${engine.address}${path}`, { method, redirect: 'manual' });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('x-powered-by')).toBeNull();
  });

  test('serves every file of the page, and no other', async () => {
    const folder = new URL('../../src/engine/http/ceremony-page/', import.meta.url);
    for (const name of readdirSync(folder)) {
      const path = name === 'index.html' ? '' : name;
      const answer = await fetch(`${engine.address}/ui/ceremony/${path}`);
      expect([answer.status, await answer.text()]).toEqual([
        200,
        readFileSync(new URL(name, folder), 'utf8'),
      ]);
    }
  });

  test('answers a path that cannot be decoded without a word about itself', async () => {
    const answer = await fetch(`${engine.address}/ui/ceremony/%zz`);
    expect([400, 404]).toContain(answer.status);
    expect(await answer.text()).not.toMatch(/node_modules|at .*\.ts/);
  });
});

test('without ui in the configuration there is no page', async () => {
  await using other = {
    engine: await TestEngine.start(),
    [Symbol.asyncDispose]: async () => other.engine.stop(),
  };
  for (const path of ['/ui/ceremony/', '/ui/', '/']) {
    const answer = await fetch(`${other.engine.address}${path}`);
    expect([answer.status, await answer.text()]).toEqual([404, '{"errors":[]}\n']);
  }
});
