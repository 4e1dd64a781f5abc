import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const root = new URL('../../../', import.meta.url).pathname;

/** A forbidden import for each row of the import table, and one that is allowed as its counterpart. */
const planted: readonly { readonly file: string; readonly forbidden: string; readonly allowed?: string }[] = [
  { file: 'src/lib/planted.ts', forbidden: '../engine/core/core.ts', allowed: './clock.ts' },
  { file: 'src/lib/planted2.ts', forbidden: 'express' },
  { file: 'src/client/planted.ts', forbidden: '../engine/config.ts', allowed: '../lib/log.ts' },
  { file: 'src/client/planted2.ts', forbidden: 'express' },
  { file: 'src/ceremony/planted.ts', forbidden: '../client/client.ts', allowed: '../lib/secret.ts' },
  { file: 'src/ceremony/planted2.ts', forbidden: 'openpgp' },
  { file: 'src/ceremony/pgp.ts', forbidden: 'shamir-secret-sharing', allowed: 'openpgp' },
  { file: 'src/ceremony/shares.ts', forbidden: 'openpgp', allowed: 'shamir-secret-sharing' },
  { file: 'src/engine/physical/planted.ts', forbidden: '../barrier/barrier.ts', allowed: 'lmdb' },
  { file: 'src/engine/barrier/planted.ts', forbidden: '../seal/seal.ts', allowed: '../physical/physical.ts' },
  { file: 'src/engine/seal/planted.ts', forbidden: 'graphene-pk11', allowed: '../../lib/secret.ts' },
  { file: 'src/engine/seal/pkcs11/planted.ts', forbidden: '../../barrier/barrier.ts', allowed: 'pkcs11js' },
  {
    file: 'src/engine/secrets/kv/planted.ts',
    forbidden: '../../barrier/barrier.ts',
    allowed: '../../logical/logical.ts',
  },
  {
    file: 'src/engine/auth/token/planted.ts',
    forbidden: '../../token/token.ts',
    allowed: '../../logical/logical.ts',
  },
  { file: 'src/engine/token/planted.ts', forbidden: '../policy/policy.ts', allowed: '../logical/storage.ts' },
  { file: 'src/engine/sys/planted.ts', forbidden: '../core/core.ts', allowed: '../logical/logical.ts' },
  { file: 'src/engine/core/planted.ts', forbidden: '../http/http.ts', allowed: '../barrier/barrier.ts' },
  { file: 'src/engine/http/planted.ts', forbidden: '../barrier/barrier.ts', allowed: 'express' },
  { file: 'src/operator/planted.ts', forbidden: '../engine/core/core.ts', allowed: '../engine/config.ts' },
  { file: 'src/operator/sealedvault/planted.ts', forbidden: '../../engine/server.ts' },
  { file: 'src/operator/runtime/planted.ts', forbidden: '../sealedvault/controller.ts' },
  { file: 'src/cli/planted.ts', forbidden: '../engine/core/core.ts', allowed: '../client/client.ts' },
  { file: 'src/cli/planted2.ts', forbidden: '@kubernetes/client-node' },
  {
    file: 'src/cli/ceremony/kube.ts',
    forbidden: '../../operator/manager.ts',
    allowed: '@kubernetes/client-node',
  },
];

test('the linter refuses every forbidden import, and none that is allowed', () => {
  const dir = mkdtempSync(join(tmpdir(), 'imports-'));
  try {
    copyFileSync(join(root, '.oxlintrc.json'), join(dir, '.oxlintrc.json'));
    symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'));
    for (const { file, forbidden, allowed } of planted) {
      mkdirSync(dirname(join(dir, file)), { recursive: true });
      const lines = [`import { a } from '${forbidden}';`, 'export const used: unknown = a;'];
      if (allowed !== undefined)
        lines.push(`import { b } from '${allowed}';`, 'export const fine: unknown = b;');
      writeFileSync(join(dir, file), `${lines.join('\n')}\n`);
    }
    const { stdout, status } = spawnSync(join(root, 'node_modules/.bin/oxlint'), ['--format=json', 'src'], {
      cwd: dir,
    });
    expect(status).not.toBe(0);
    const { diagnostics } = JSON.parse(stdout.toString()) as {
      diagnostics: { code: string; filename: string; labels: { span: { line: number } }[] }[];
    };
    const found = diagnostics
      .filter(({ code }) => code.includes('no-restricted-imports'))
      .map(({ filename, labels }) => `${filename}:${labels[0]?.span.line}`);
    expect(found.toSorted()).toEqual(planted.map(({ file }) => `${file}:1`).toSorted());
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
