import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs the openssl program. @returns what it prints on both channels @throws when it fails, with what it printed */
export function openssl(args: readonly string[], input = '', cwd: string = tmpdir()): string {
  return execFileSync('/bin/sh', ['-c', 'exec openssl "$@" 2>&1', 'openssl', ...args], {
    input,
    cwd,
    encoding: 'utf8',
  });
}

/** A directory with files of these names. */
export function files(contents: Readonly<Record<string, string | Uint8Array>>): string {
  const dir = mkdtempSync(join(tmpdir(), 'sealedvault-openssl-'));
  for (const [name, content] of Object.entries(contents)) writeFileSync(join(dir, name), content);
  return dir;
}
