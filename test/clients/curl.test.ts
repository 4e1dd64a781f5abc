import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { attempt } from '../support/cluster/command.ts';
import { World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.stop());

test('a user with curl finds every engine and auth method as the API’s documentation tells', async () => {
  const script = join(import.meta.dirname, 'curl.sh');
  const env = { ...world.env, NODE: process.execPath };
  const { status, stdout, stderr } = await attempt('bash', [script], { env, timeoutMs: 180_000 });
  expect(stdout.trimEnd().split('\n').at(-1), stdout + stderr).toBe('done');
  expect(status).toBe(0);
});
