import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { attempt, run } from '../support/cluster/command.ts';
import { find } from '../support/cluster/packages.ts';
import { World } from './support/world.ts';

const SOURCE = join(import.meta.dirname, 'go');
const go = find('go');
const built = mkdtempSync(join(tmpdir(), 'sealedvault-go-client-'));
let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(async () => {
  await world.stop();
  rmSync(built, { recursive: true, force: true });
});

test('a user of Vault’s Go client finds every engine and auth method as it expects', async ({ skip }) => {
  if (go === undefined) return skip('no Go toolchain: install the package golang-go');
  const program = join(built, 'user');
  const env = { GOFLAGS: '-mod=mod -buildvcs=false', CGO_ENABLED: '0' };
  await run(go, ['build', '-o', program, '.'], { cwd: SOURCE, env });
  const { status, stdout, stderr } = await attempt(program, [], { env: world.env, timeoutMs: 180_000 });
  expect(stdout.trimEnd().split('\n').at(-1), stdout + stderr).toBe('done');
  expect(status).toBe(0);
});
