import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { CEREMONY_COMMANDS } from '../../../src/cli/ceremony/options.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const made = mkdtempSync(join(tmpdir(), 'sealedvault-made-'));
// Nothing of the project is near it there.
const home = mkdtempSync(join(tmpdir(), 'sealedvault-home-'));

beforeAll(() => {
  execFileSync(process.execPath, [join(root, 'deploy', 'plugin.ts'), join(made, 'plugin')]);
  copyFileSync(join(made, 'plugin', 'kubectl-sealedvault'), join(home, 'kubectl-sealedvault'));
});

afterAll(() => {
  for (const folder of [made, home]) rmSync(folder, { recursive: true, force: true });
});

function plugin(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(home, 'kubectl-sealedvault'), ...args],
    {
      cwd: home,
      encoding: 'utf8',
      env: {},
    },
  );
  return { status, stdout, stderr };
}

test('the plugin is one file that has every verb of a ceremony', () => {
  const { status, stdout, stderr } = plugin('--help');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  for (const { words } of CEREMONY_COMMANDS) {
    expect(stdout).toContain(words.join(' '));
    expect(plugin(...words, '--help').stdout).toContain(`kubectl sealedvault ${words.join(' ')}`);
  }
  expect(plugin('server')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('unknown command: server'),
  });
});

test('each verb begins its work, with all that it loads', () => {
  writeFileSync(join(home, 'config'), '{}');
  for (const { words, options } of CEREMONY_COMMANDS) {
    const as = ['as', 'storage', 'address'].flatMap((name) =>
      options.some((option) => option.name === name) ? [`--${name}=https://x`] : [],
    );
    const cluster = words[1] === 'verify' ? [] : [`--kubeconfig=${join(home, 'config')}`];
    const { status, stderr } = plugin(...words, 'x', ...as, ...cluster);
    expect({ status, words }).toEqual({ status: 1, words });
    expect(stderr).toMatch(/kubeconfig cannot be used|The file x cannot be read/);
    expect(stderr).not.toMatch(/MODULE|require|import/);
  }
});

test('the manifest of krew is that of the archive, which holds the program and the licence', () => {
  const archive = join(made, 'plugin', 'kubectl-sealedvault.tar.gz');
  const { spec } = parse(readFileSync(join(made, 'plugin', 'sealedvault.yaml'), 'utf8'));
  expect(spec.version).toBe(`v${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version}`);
  expect(spec.platforms).toHaveLength(1);
  expect(spec.platforms[0].sha256).toBe(createHash('sha256').update(readFileSync(archive)).digest('hex'));
  const files = execFileSync('tar', ['-tzf', archive], { encoding: 'utf8' }).trim().split('\n');
  expect(files.toSorted()).toEqual(['LICENSE', spec.platforms[0].bin]);
});
