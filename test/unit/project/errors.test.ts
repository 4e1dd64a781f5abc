import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = new URL('../../../', import.meta.url).pathname;
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const declared = [
  ...(/export type ErrorCode =([^;]*);/.exec(read('src/lib/errors.ts'))?.[1] ?? '').matchAll(
    /'(ERR_[A-Z_]+)'/g,
  ),
].map(([, code]) => code ?? '');

test('docs/errors.md has one row for every code, and no other', () => {
  const rows = [...read('docs/errors.md').matchAll(/^\| `(ERR_[A-Z_]+)` \|/gm)].map(([, code]) => code ?? '');
  expect(declared.length).toBeGreaterThan(20);
  expect(rows).toEqual(declared.toSorted((a, b) => (a < b ? -1 : 1)));
});

test('every code is thrown somewhere', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && file !== 'lib/errors.ts')
    .map((file) => read(join('src', file)))
    .join('\n');
  for (const code of declared) expect(sources).toContain(`'${code}'`);
});

test('the version that is reported is the version of the package', async () => {
  const { version } = await import('../../../src/engine/version.ts');
  const { version: release } = JSON.parse(read('package.json')) as { version: string };
  expect(version).toMatch(/^\d+\.\d+\.\d+\+sealedvault\./);
  expect(version.endsWith(`+sealedvault.${release}`)).toBe(true);
});

test('no file of the sources is longer than 400 lines', () => {
  for (const folder of ['src', 'test', 'deploy']) {
    for (const file of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (file.endsWith('.ts'))
        expect(read(join(folder, file)).split('\n').length, file).toBeLessThanOrEqual(401);
    }
  }
});
