import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { rolldown } from 'rolldown';
import { stringify } from 'yaml';

/**
 * Makes the kubectl plugin of the program's sources: one file that needs Node.js alone, its archive, and a manifest of krew.
 * Arguments: the folder to make, and where the archive will be downloaded from; `kubectl krew install --manifest --archive` needs none.
 */
const root = join(import.meta.dirname, '..');
const name = 'kubectl-sealedvault';
const folder = process.argv[2] ?? join(root, 'dist', 'plugin');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const bundle = await rolldown({ input: join(root, 'src', 'plugin.ts'), platform: 'node' });
await bundle.write({
  file: join(folder, name),
  // A file without an extension is no module everywhere.
  format: 'cjs',
  codeSplitting: false,
  banner: '#!/usr/bin/env node',
});
await bundle.close();
chmodSync(join(folder, name), 0o755);

const work = mkdtempSync(join(tmpdir(), 'sealedvault-plugin-'));
cpSync(join(folder, name), join(work, name));
copyFileSync(join(root, 'LICENSE'), join(work, 'LICENSE'));
const archive = join(folder, `${name}.tar.gz`);
execFileSync('tar', ['-czf', archive, '-C', work, name, 'LICENSE']);
rmSync(work, { recursive: true, force: true });

const manifest = {
  apiVersion: 'krew.googlecontainertools.github.com/v1alpha2',
  kind: 'Plugin',
  metadata: { name: 'sealedvault' },
  spec: {
    version: `v${version}`,
    shortDescription: 'Take part in recovery ceremonies of SealedVault',
    description:
      'Shows the plan of a ceremony, signs consent, proves and gives recovery shares, checks evidence.',
    caveats: 'Needs Node.js 22.19 or later, and gpg, on the PATH.',
    platforms: [
      {
        selector: { matchExpressions: [{ key: 'os', operator: 'In', values: ['linux', 'darwin'] }] },
        uri: process.argv[3] ?? `https://localhost/${name}.tar.gz`,
        sha256: createHash('sha256').update(readFileSync(archive)).digest('hex'),
        files: [{ from: '*', to: '.' }],
        bin: name,
      },
    ],
  },
};
writeFileSync(join(folder, 'sealedvault.yaml'), stringify(manifest));
