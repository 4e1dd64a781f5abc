import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Runs the openssl program; it may talk to a server of this process.
 * @returns what it prints on both channels
 * @throws when it fails or takes too long, with what it printed
 */
export function openssl(args: readonly string[], input = '', cwd: string = tmpdir()): Promise<string> {
  return run('openssl', args, input, cwd);
}

/** Runs a program as openssl() does. */
export function run(
  program: string,
  args: readonly string[],
  input = '',
  cwd: string = tmpdir(),
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, timeout: 60_000, stdio: 'pipe' });
    let printed = '';
    for (const channel of [child.stdout, child.stderr])
      channel.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
      });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(printed);
      else reject(new Error(`${program} ended with ${code}: ${printed}`));
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/** A directory with files of these names. */
export function files(contents: Readonly<Record<string, string | Uint8Array>>): string {
  const dir = mkdtempSync(join(tmpdir(), 'sealedvault-openssl-'));
  for (const [name, content] of Object.entries(contents)) writeFileSync(join(dir, name), content);
  return dir;
}
