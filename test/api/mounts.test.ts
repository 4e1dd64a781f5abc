import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
const call = (...args: Parameters<TestEngine['call']>) => engine.call(...args);
beforeAll(async () => {
  engine = await TestEngine.initialized();
});
afterAll(() => engine.stop());

test('a mount that is not there is told in the words that Terraform looks for', async () => {
  const missing = async (path: string): Promise<unknown> => {
    const { status, body } = await call('GET', path);
    return [status, body.errors];
  };
  expect(await missing('sys/mounts/nosuch')).toEqual([400, ['No secret engine mount at nosuch/']]);
  expect(await missing('sys/auth/nosuch')).toEqual([400, ['No auth engine at nosuch/']]);
  expect((await call('GET', 'sys/mounts/auth/nosuch')).status).toBe(400);
});

test('auth methods are read below sys/mounts too, without sudo', async () => {
  await call('POST', 'sys/auth/people', { type: 'userpass', description: 'who' });
  await call('PUT', 'sys/policies/acl/reader', {
    policy: 'path "sys/mounts/auth/people" { capabilities = ["read"] }',
  });
  const { auth } = (await call('POST', 'auth/token/create', { policies: ['reader'] })).body;
  const read = await call('GET', 'sys/mounts/auth/people', undefined, auth.client_token);
  const listed = (await call('GET', 'sys/auth')).body.data['people/'];
  expect(read.body.data).toEqual(listed);
  expect(read.body.data).toMatchObject({ type: 'userpass', description: 'who' });
});

test('the log tells of mounts that come and go, and of new keys', async () => {
  await call('POST', 'sys/mounts/logged', { type: 'kv' });
  await call('DELETE', 'sys/mounts/logged');
  await call('PUT', 'sys/rotate');
  const said = engine.logLines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(said).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ msg: 'successful mount', path: 'logged/', type: 'kv' }),
      expect.objectContaining({ msg: 'successfully unmounted', path: 'logged/' }),
      expect.objectContaining({ msg: 'the key of the barrier was rotated', term: 2 }),
    ]),
  );
});
