import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { attempt, run } from '../support/cluster/command.ts';
import { find } from '../support/cluster/packages.ts';
import { cacheFolder } from '../support/cluster/paths.ts';
import { World } from './support/world.ts';

const VERSION = '2.4.0';

/** An environment of Python with the client, made once. @returns its interpreter */
async function pythonWithHvac(): Promise<string> {
  const folder = join(cacheFolder(), 'hvac');
  const made = join(folder, `hvac-${VERSION}`);
  if (!existsSync(made)) {
    rmSync(folder, { recursive: true, force: true });
    await run(find('python3') ?? 'python3', ['-m', 'venv', folder]);
    await run(join(folder, 'bin', 'pip'), ['install', '--quiet', `hvac==${VERSION}`]);
    writeFileSync(made, '');
  }
  return join(folder, 'bin', 'python');
}

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.stop());

test('a user of hvac finds every engine and auth method as it expects', async () => {
  const python = await pythonWithHvac();
  const script = join(import.meta.dirname, 'hvac_user.py');
  const env = { ...world.env, PYTHONWARNINGS: 'ignore', PYTHONDONTWRITEBYTECODE: '1' };
  const { status, stdout, stderr } = await attempt(python, [script], { env, timeoutMs: 180_000 });
  expect(stdout.trimEnd().split('\n').at(-1), stdout + stderr).toBe('done');
  expect(status).toBe(0);
});
