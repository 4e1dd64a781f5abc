import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
});
afterAll(() => engine.stop());

test('a token is told of policies that do not exist, of renamed ones and of deprecated fields', async () => {
  const made = await engine.call('POST', 'auth/token/create', {
    policies: ['default', 'Nobody'],
    lease: '1h',
  });
  expect(made.body.auth.policies).toEqual(['default', 'nobody']);
  expect(made.body.warnings).toEqual([
    'Policy "nobody" does not exist',
    'policy name "Nobody" was converted to lower case',
    "'lease' is deprecated, please use 'ttl' instead",
  ]);
  const plain = await engine.call('POST', 'auth/token/create', { policies: ['default'] });
  expect(plain.body.warnings).toBeNull();
});

test('a TTL that is capped is told, at creation and at renewal', async () => {
  const capped = /^TTL of "1000h0m0s" exceeded the effective max_ttl of .*; TTL value is capped accordingly$/;
  const made = await engine.call('POST', 'auth/token/create', { policies: ['default'], ttl: '1000h' });
  expect(made.body.warnings).toEqual([expect.stringMatching(capped)]);
  const { client_token: token } = made.body.auth;
  const renewed = await engine.call('POST', 'auth/token/renew', { token, increment: '1000h' });
  expect(renewed.body.warnings).toEqual([expect.stringMatching(capped)]);
  expect(
    (await engine.call('POST', 'auth/token/renew', { token, increment: '1h' })).body.warnings,
  ).toBeNull();
});
